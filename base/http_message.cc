// The parts of HTTP that need no socket.

#include <algorithm>
#include <charconv>

#include "base/http_server.h"

namespace atalaya {
namespace {

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// What stands before `separator`; `rest` keeps what follows it.
std::string_view Take(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return part;
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

// How exactly `range` names `name`: 0 not at all, 1 "*" or "*/*", 2 "type/*", 3 in full.
int Exactness(std::string_view range, std::string_view name) {
  if (EqualIgnoringCase(range, name)) return 3;
  if (range == "*" || range == "*/*") return 1;
  if (range.ends_with("/*") && name.size() >= range.size() &&
      EqualIgnoringCase(range.substr(0, range.size() - 1), name.substr(0, range.size() - 1))) {
    return 2;
  }
  return 0;
}

double QualityOf(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = Trim(Take(parameters, ';'));
    if (parameter.size() < 2 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=')
      continue;
    double quality = 0;
    const std::string_view digits = parameter.substr(2);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), quality,
                                        std::chars_format::fixed);
    if (parsed.ec != std::errc() || !(quality >= 0)) return 0;
    return std::min(quality, 1.0);
  }
  return 1;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string DecodeForm(std::string_view encoded) {
  std::string plain;
  plain.reserve(encoded.size());
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    const char c = encoded[i];
    const int high = c == '%' && i + 2 < encoded.size() ? HexDigit(encoded[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(encoded[i + 2]) : -1;
    if (low >= 0) {
      plain += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      plain += c == '+' ? ' ' : c;
    }
  }
  return plain;
}

}  // namespace

std::string HttpRequest::Header(std::string_view lower_case_name) const {
  const auto it = headers.find(std::string(lower_case_name));
  return it == headers.end() ? std::string() : it->second;
}

std::vector<std::pair<std::string, std::string>> ParseForm(std::string_view encoded) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!encoded.empty()) {
    std::string_view value = Take(encoded, '&');
    if (value.empty()) continue;
    const std::string_view name = Take(value, '=');
    pairs.emplace_back(DecodeForm(name), DecodeForm(value));
  }
  return pairs;
}

double AcceptQuality(std::string_view header, std::string_view name) {
  int best_exactness = 0;
  double quality = 0;
  while (!header.empty()) {
    std::string_view parameters = Take(header, ',');
    const std::string_view range = Trim(Take(parameters, ';'));
    const int exactness = Exactness(range, name);
    if (exactness == 0 || exactness < best_exactness) continue;
    const double of_range = QualityOf(parameters);
    // The same type may be named several times, with other parameters.
    quality = exactness > best_exactness ? of_range : std::max(quality, of_range);
    best_exactness = exactness;
  }
  return quality;
}

}  // namespace atalaya
