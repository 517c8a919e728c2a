#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "telemetry/labels.h"
#include "telemetry/sample.h"

namespace atalaya::alertd {

// What stands in a template's pipeline: nothing, a truth, a number, text, labels, a sample of a
// query, a list, or an object with fields.
struct TemplateValue {
  using List = std::vector<TemplateValue>;
  struct Field;
  using Object = std::vector<Field>;
  std::variant<std::monostate, bool, double, std::string, telemetry::Labels,
               telemetry::LabelledSample, List, Object>
      data;

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&data);
  }

  // As Go's templates take a condition: nothing, false, 0, "", and what is empty are false.
  bool IsTrue() const;

  // As Go prints it with %v, which is what Prometheus's templates show.
  std::string ToText() const;

  // A number, or text that is one; otherwise kInvalid with "not a number".
  Result<double> ToNumber() const;
};

struct TemplateValue::Field {
  std::string name;
  TemplateValue value;
};

}  // namespace atalaya::alertd
