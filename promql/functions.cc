#include "promql/functions.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

namespace atalaya::promql {
namespace {

constexpr std::array<std::string_view, 15> kExperimental = {"double_exponential_smoothing",
                                                            "first_over_time",
                                                            "histogram_quantiles",
                                                            "info",
                                                            "mad_over_time",
                                                            "sort_by_label",
                                                            "sort_by_label_desc",
                                                            "start",
                                                            "end",
                                                            "range",
                                                            "step",
                                                            "ts_of_first_over_time",
                                                            "ts_of_last_over_time",
                                                            "ts_of_max_over_time",
                                                            "ts_of_min_over_time"};

std::unordered_map<std::string_view, const Function*> BuildTable() {
  std::unordered_map<std::string_view, const Function*> table;
  for (const auto& family : {MathFunctions(), TimeFunctions(), LabelFunctions(), RateFunctions(),
                             OverTimeFunctions(), HistogramFunctions(), VectorFunctions()}) {
    for (const Function& function : family) table.emplace(function.name, &function);
  }
  return table;
}

}  // namespace

const Function* FindFunction(std::string_view name) {
  static const auto table = BuildTable();
  const auto it = table.find(name);
  return it == table.end() ? nullptr : it->second;
}

std::string RefusedFunction(std::string_view name) {
  if (std::find(kExperimental.begin(), kExperimental.end(), name) != kExperimental.end()) {
    return fmt::format("function \"{}\" is experimental in Prometheus and not supported", name);
  }
  return "";
}

}  // namespace atalaya::promql
