#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/templates/template_value.h"
#include "base/result.h"

namespace atalaya::alertd {

// Evaluates PromQL for a template's `query`.
using TemplateQuery =
    std::function<Result<std::vector<telemetry::LabelledSample>>(const std::string&)>;

// Of Go's text/template and of Prometheus's template reference: humanize, printf, query and so on.
// Sorted.
const std::vector<std::string>& TemplateFunctionNames();

// `name` applied to `args`; `name` is one of them. kInvalid where an argument does not fit; what
// the query fails with.
Result<TemplateValue> CallTemplateFunction(std::string_view name,
                                           const std::vector<TemplateValue>& args,
                                           const TemplateQuery& query);

}  // namespace atalaya::alertd
