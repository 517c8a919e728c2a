#include "alertd/rules/text_template.h"

#include <array>
#include <cmath>
#include <cstdlib>

#include "base/suggest.h"

namespace atalaya::alertd {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr std::string_view kLabels = "$labels.";
constexpr std::string_view kBlank = " \t\n";

// As Go prints a float with %v, which is what Prometheus's templates show.
std::string FormatValue(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

// "1.235k", "12.5m". Source: `humanize` in Prometheus's template reference.
std::string Humanize(double value) {
  constexpr std::array<std::string_view, 9> kLarge = {"", "k", "M", "G", "T", "P", "E", "Z", "Y"};
  constexpr std::array<std::string_view, 9> kSmall = {"", "m", "u", "n", "p", "f", "a", "z", "y"};
  if (value == 0 || std::isnan(value) || std::isinf(value)) return fmt::format("{:.4g}", value);
  std::size_t step = 0;
  if (std::abs(value) >= 1) {
    for (; step + 1 < kLarge.size() && std::abs(value) >= 1000; ++step) value /= 1000;
    return fmt::format("{:.4g}{}", value, kLarge[step]);
  }
  for (; step + 1 < kSmall.size() && std::abs(value) < 1; ++step) value *= 1000;
  return fmt::format("{:.4g}{}", value, kSmall[step]);
}

// "1.5Gi". Source: `humanize1024` in Prometheus's template reference.
std::string Humanize1024(double value) {
  constexpr std::array<std::string_view, 9> kPrefixes = {"",   "ki", "Mi", "Gi", "Ti",
                                                         "Pi", "Ei", "Zi", "Yi"};
  if (std::isnan(value) || std::isinf(value)) return fmt::format("{:.4g}", value);
  std::size_t step = 0;
  for (; step + 1 < kPrefixes.size() && std::abs(value) >= 1024; ++step) value /= 1024;
  return fmt::format("{:.4g}{}", value, kPrefixes[step]);
}

struct Function {
  std::string_view name;
  std::string (*apply)(double);
};
constexpr std::array<Function, 2> kFunctions = {
    {{"humanize", Humanize}, {"humanize1024", Humanize1024}}};

const Function* FindFunction(std::string_view name) {
  for (const Function& function : kFunctions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool IsLabelName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool fits =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!fits) return false;
  }
  return true;
}

// `FUNCTION ARGUMENT` and `ARGUMENT | FUNCTION` as their two halves; the function may be "".
std::pair<std::string_view, std::string_view> SplitAction(std::string_view action) {
  if (const std::size_t pipe = action.find('|'); pipe != std::string_view::npos)
    return {Trim(action.substr(pipe + 1)), Trim(action.substr(0, pipe))};
  if (const std::size_t blank = action.find_first_of(kBlank);
      blank != std::string_view::npos && action[0] != '$')
    return {action.substr(0, blank), Trim(action.substr(blank))};
  return {"", action};
}

}  // namespace

Result<TextTemplate> TextTemplate::Parse(std::string_view text) {
  TextTemplate parsed;
  parsed.source_ = std::string(text);
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find(kOpen, at);
    parsed.parts_.push_back({Kind::kText, std::string(text.substr(at, open - at)), ""});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find(kClose, open);
    if (close == std::string_view::npos)
      return Fail(ErrorCode::kInvalid, "1:{}: \"{{{{\" without \"}}}}\"", open + 1);
    const std::string_view action =
        Trim(text.substr(open + kOpen.size(), close - open - kOpen.size()));
    const auto [function, argument] = SplitAction(action);
    if (!function.empty() && FindFunction(function) == nullptr) {
      std::vector<std::string> known;
      for (const Function& each : kFunctions) known.emplace_back(each.name);
      return Fail(ErrorCode::kInvalid, "1:{}: unknown function \"{}\" (known: {}){}", open + 1,
                  function, fmt::join(known, ", "), DidYouMean(function, known));
    }
    Part part{Kind::kValue, "", std::string(function)};
    if (argument.starts_with(kLabels) && IsLabelName(argument.substr(kLabels.size()))) {
      part.kind = Kind::kLabel;
      part.text = std::string(argument.substr(kLabels.size()));
    } else if (argument != "$value") {
      return Fail(ErrorCode::kInvalid, "1:{}: \"{}\" is neither $value nor $labels.NAME", open + 1,
                  argument);
    }
    parsed.parts_.push_back(std::move(part));
    at = close + kClose.size();
  }
  return parsed;
}

std::string TextTemplate::Expand(const telemetry::Labels& labels, double value) const {
  std::string out;
  for (const Part& part : parts_) {
    if (part.kind == Kind::kText) {
      out += part.text;
      continue;
    }
    const std::string plain =
        part.kind == Kind::kValue ? FormatValue(value) : std::string(labels.Get(part.text));
    const Function* function = part.function.empty() ? nullptr : FindFunction(part.function);
    if (function == nullptr) {
      out += plain;
      continue;
    }
    char* end = nullptr;
    const double number = part.kind == Kind::kValue ? value : std::strtod(plain.c_str(), &end);
    if (part.kind == Kind::kLabel && (plain.empty() || *end != '\0')) {
      out += fmt::format("{} ({}: not a number)", plain, part.function);
    } else {
      out += function->apply(number);
    }
  }
  return out;
}

}  // namespace atalaya::alertd
