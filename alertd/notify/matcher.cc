#include "alertd/notify/matcher.h"

#include <algorithm>
#include <optional>

#include "promql/parser.h"
#include "telemetry/utf8.h"

namespace atalaya::alertd {
namespace {

using Kind = telemetry::Matcher::Kind;

constexpr std::string_view kMatcherSpace = " \t\r\n";

// Two characters come before the one that begins them.
constexpr std::pair<std::string_view, Kind> kOperators[] = {
    {"=~", Kind::kRegex}, {"!~", Kind::kNotRegex}, {"!=", Kind::kNotEqual}, {"=", Kind::kEqual}};

std::string_view OperatorOf(Kind kind) {
  for (const auto& [text, known] : kOperators) {
    if (known == kind) return text;
  }
  return "";
}

std::string_view TrimSpace(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kMatcherSpace);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(kMatcherSpace) - begin + 1);
}

// A value in quotes, or one that stands without; nothing where a quote is left open or stands
// within.
std::optional<std::string> Unquote(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  if (quoted) text = text.substr(1, text.size() - 2);
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] != '\\') {
      value += text[i];
      continue;
    }
    // As Alertmanager: a backslash before anything else stands for itself.
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (next == '\0' && quoted) return std::nullopt;
    if (next == 'n' || next == '"' || next == '\\') {
      value += next == 'n' ? '\n' : next;
      ++i;
    } else {
      value += '\\';
    }
  }
  return value;
}

void AppendQuoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

Result<telemetry::Matcher> ParseMatcher(std::string_view text) {
  const auto bad = [text] {
    return Fail(ErrorCode::kInvalid, "{} is no matcher such as alertname=\"Down\"", text);
  };
  const std::size_t at = text.find_first_of("=!");
  if (at == std::string_view::npos) return bad();
  const std::string_view name = TrimSpace(text.substr(0, at));
  if (!promql::IsBareLabelName(name)) return bad();
  for (const auto& [sign, kind] : kOperators) {
    if (!text.substr(at).starts_with(sign)) continue;
    std::optional<std::string> value = Unquote(TrimSpace(text.substr(at + sign.size())));
    if (!value) return bad();
    telemetry::Matcher matcher{kind, std::string(name), std::move(*value)};
    if (Status good = CheckMatcher(matcher); !good) return Forward(good.error());
    return matcher;
  }
  return bad();
}

Status CheckMatcher(const telemetry::Matcher& matcher) {
  if (matcher.name.empty()) return Fail(ErrorCode::kInvalid, "matcher: it needs a label's name");
  for (const std::string* text : {&matcher.name, &matcher.value}) {
    if (text->size() > kMaxMatcherTextBytes || !telemetry::IsUtf8(*text))
      return Fail(ErrorCode::kInvalid, "matcher: expected UTF-8 of at most {} bytes",
                  kMaxMatcherTextBytes);
  }
  if (matcher.kind != Kind::kRegex && matcher.kind != Kind::kNotRegex) return {};
  const Result<promql::Regex> pattern = promql::Regex::Compile(matcher.value);
  if (!pattern)
    return Fail(ErrorCode::kInvalid, "matcher on {}: {}", matcher.name, pattern.error().message);
  return {};
}

Matchers::Matchers(std::vector<telemetry::Matcher> matchers) : list_(std::move(matchers)) {
  for (const telemetry::Matcher& matcher : list_) compiled_.emplace_back(matcher);
}

bool Matchers::Hold(const telemetry::Labels& labels) const {
  return std::all_of(
      compiled_.begin(), compiled_.end(),
      [&](const promql::CompiledMatcher& matcher) { return matcher.Matches(labels); });
}

std::string Matchers::ToString() const {
  std::vector<telemetry::Matcher> sorted = list_;
  std::stable_sort(
      sorted.begin(), sorted.end(),
      [](const telemetry::Matcher& a, const telemetry::Matcher& b) { return a.name < b.name; });
  std::string text = "{";
  for (const telemetry::Matcher& matcher : sorted) {
    if (text.size() > 1) text += ',';
    text += matcher.name;
    text += OperatorOf(matcher.kind);
    AppendQuoted(matcher.value, text);
  }
  return text + "}";
}

Matchers ReadMatchers(ConfigTable& table, std::string_view key) {
  std::vector<telemetry::Matcher> matchers;
  for (const std::string& text : table.Strings(key)) {
    Result<telemetry::Matcher> matcher = ParseMatcher(text);
    if (matcher) {
      matchers.push_back(std::move(*matcher));
    } else {
      table.Fault(key, matcher.error().message);
    }
  }
  if (matchers.size() > kMaxMatchers)
    table.Fault(key, fmt::format("more than {} matchers", kMaxMatchers));
  return Matchers(std::move(matchers));
}

}  // namespace atalaya::alertd
