#include "alertd/collect/probe/plugin_output.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "mqtt/topic.h"

namespace atalaya::alertd {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string CleanText(std::string_view raw, std::size_t max_bytes) {
  std::string text(raw.substr(0, max_bytes));
  for (char& c : text) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  const bool cut = raw.size() > max_bytes;  // Perhaps within a character.
  for (int i = 0; cut && i < 3 && !mqtt::IsValidUtf8(text); ++i) text.pop_back();
  if (!mqtt::IsValidUtf8(text)) {
    text = raw.substr(0, max_bytes);
    for (char& c : text) c = c < 0x20 || c == 0x7f ? '?' : c;
  }
  const std::size_t last = text.find_last_not_of(' ');
  text.resize(last == std::string::npos ? 0 : last + 1);
  return text;
}

// What the unit at the front of `text` is multiplied with.
double FactorOf(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {{"us", 1e-6},
                                                            {"ms", 1e-3},
                                                            {"ns", 1e-9},
                                                            {"KB", 1024.0},
                                                            {"MB", 1024.0 * 1024},
                                                            {"GB", 1024.0 * 1024 * 1024},
                                                            {"TB", 1024.0 * 1024 * 1024 * 1024}};
  const std::string_view unit = text.substr(0, text.find(';'));
  for (const auto& [name, factor] : kUnits) {
    if (unit == name) return factor;
  }
  return 1;
}

// Takes the label at the front of `rest`, and the "=" behind it; "" where there is none.
std::string TakeLabel(std::string_view& rest) {
  std::string label;
  if (rest.front() != '\'') {
    const std::size_t end = rest.find_first_of("= \t\r\n");
    label = rest.substr(0, end);
    rest.remove_prefix(std::min(end, rest.size()));
  } else {
    std::size_t at = 1;
    for (; at < rest.size(); ++at) {
      if (rest[at] == '\'' && !rest.substr(at).starts_with("''")) break;
      if (rest[at] == '\'') ++at;  // Two stand for one.
      label += rest[at];
    }
    rest.remove_prefix(std::min(at + 1, rest.size()));
  }
  if (!rest.starts_with('=')) return "";
  rest.remove_prefix(1);
  return label;
}

void ReadFigures(std::string_view rest, std::vector<PluginOutput::Value>& values) {
  while (values.size() < kMaxPerfValues) {
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    if (rest.empty()) return;
    const std::string label = CleanText(TakeLabel(rest), kMaxPerfLabelBytes);
    const std::string_view figure = rest.substr(0, rest.find_first_of(kBlanks));
    rest.remove_prefix(figure.size());
    double value = 0;
    const auto parsed = std::from_chars(figure.data(), figure.data() + figure.size(), value);
    if (label.empty() || parsed.ec != std::errc() || !std::isfinite(value)) continue;
    const bool known = std::any_of(values.begin(), values.end(),
                                   [&](const auto& other) { return other.label == label; });
    if (known) continue;
    const auto size = static_cast<std::size_t>(parsed.ptr - figure.data());
    values.push_back({label, value * FactorOf(figure.substr(size))});
  }
}

}  // namespace

PluginOutput ReadPluginOutput(std::string_view output) {
  PluginOutput read;
  const std::string_view first = output.substr(0, output.find('\n'));
  const std::string_view further = output.substr(first.size());
  const std::size_t bar = first.find('|');
  read.text = CleanText(first.substr(0, bar), kMaxPluginTextBytes);
  if (bar != std::string_view::npos) ReadFigures(first.substr(bar + 1), read.values);
  const std::size_t second = further.find('|');
  if (second != std::string_view::npos) ReadFigures(further.substr(second + 1), read.values);
  return read;
}

}  // namespace atalaya::alertd
