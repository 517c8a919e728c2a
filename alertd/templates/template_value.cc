#include "alertd/templates/template_value.h"

#include <cmath>
#include <cstdlib>

namespace atalaya::alertd {
namespace {

using telemetry::LabelledSample;
using telemetry::Labels;

// Go writes whole numbers out up to 1e21.
constexpr double kLargestPlain = 1e21;

std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (std::abs(value) < kLargestPlain && std::abs(value) >= 1e15)
    return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

std::string LabelsText(const Labels& labels) {
  std::string text = "map[";
  for (const auto& [name, value] : labels)
    text += fmt::format("{}{}:{}", text.back() == '[' ? "" : " ", name, value);
  return text + "]";
}

}  // namespace

bool TemplateValue::IsTrue() const {
  if (const auto* truth = As<bool>()) return *truth;
  if (const auto* number = As<double>()) return *number != 0;
  if (const auto* text = As<std::string>()) return !text->empty();
  if (const auto* labels = As<Labels>()) return !labels->empty();
  if (const auto* list = As<List>()) return !list->empty();
  return As<LabelledSample>() != nullptr || As<Object>() != nullptr;
}

std::string TemplateValue::ToText() const {
  if (const auto* truth = As<bool>()) return *truth ? "true" : "false";
  if (const auto* number = As<double>()) return NumberText(*number);
  if (const auto* text = As<std::string>()) return *text;
  if (const auto* labels = As<Labels>()) return LabelsText(*labels);
  if (const auto* sample = As<LabelledSample>())
    return fmt::format("{} {}", LabelsText(sample->labels), NumberText(sample->sample.value));
  if (const auto* object = As<Object>()) {
    std::string text = "{";
    for (const auto& [name, field] : *object)
      text += (text.size() > 1 ? " " : "") + name + ":" + field.ToText();
    return text + "}";
  }
  std::string text = "[";
  if (const auto* list = As<List>()) {
    for (const TemplateValue& each : *list) text += (text.size() > 1 ? " " : "") + each.ToText();
    return text + "]";
  }
  return "<no value>";
}

Result<double> TemplateValue::ToNumber() const {
  if (const auto* number = As<double>()) return *number;
  if (const auto* text = As<std::string>(); text != nullptr && !text->empty()) {
    char* end = nullptr;
    const double number = std::strtod(text->c_str(), &end);
    if (*end == '\0') return number;
  }
  return Fail(ErrorCode::kInvalid, "\"{}\" is not a number", ToText());
}

}  // namespace atalaya::alertd
