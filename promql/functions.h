#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "promql/ast.h"
#include "telemetry/sample.h"
#include "telemetry/series_source.h"

namespace atalaya::promql {

class Evaluator;
struct Evaluated;
struct Grid;

// What a range function sees of one series at one step: the samples of (end_ms - range_ms, end_ms],
// at least one, stale markers left out.
struct Window {
  std::span<const telemetry::Sample> samples;
  std::int64_t range_ms = 0;
  std::int64_t end_ms = 0;   // The step's time after @ and offset.
  std::int64_t step_ms = 0;  // The step's time itself.
  double parameter = 0;      // The scalar argument, where the function takes one.
};

// How a range function's value comes from buckets instead of samples, where it can: one column, and
// what is done with the values of the window.
struct FromBuckets {
  telemetry::Column column = telemetry::Column::kRaw;  // kRaw: it needs the samples.
  enum class Then : std::uint8_t {
    kLeast,
    kMost,
    kSum,
    kLast,
    kPresent,
    kPerSecond,  // The sum over the window's length.
    kMean        // kSum by kCount.
  } then = Then::kSum;
};

using WindowFunction = std::optional<double> (*)(const Window& window);

// One value of a vector to another; Absent() (promql/evaluator.h) drops it.
using ElementFunction = double (*)(double value, const double* parameters);

using SpecialFunction = Result<Evaluated> (*)(Evaluator& evaluator, const Call& call,
                                              const Grid& grid);

// One line of the table of functions. Exactly one of window, element and special is set.
struct Function {
  std::string_view name;
  // The arguments: v(ector), m(atrix), s(calar), t(ext); after one, '?' means that it may be left
  // out, '*' any number of it.
  std::string_view signature;
  ValueType returns = ValueType::kVector;
  WindowFunction window = nullptr;
  ElementFunction element = nullptr;
  SpecialFunction special = nullptr;
  double default_parameter = 0;   // Of an element function's scalar that was left out.
  bool keeps_name = false;        // Leaves the metric name on the result.
  bool time_dependent = false;    // Differs from step to step even where the arguments do not.
  bool defaults_to_time = false;  // Without an argument it takes the step's time.
  FromBuckets from_buckets = {};  // Of a window function.
  int regex_argument = -1;        // A text that is a pattern, compiled with the tree.
  bool for_counters = false;      // Worth a word where the metric is not named like a counter.
};

// Null where there is none of that name.
const Function* FindFunction(std::string_view name);

// Why `name` is no function here although Prometheus knows it (it is experimental), or "".
std::string RefusedFunction(std::string_view name);

// The families, each in its own file.
std::span<const Function> MathFunctions();
std::span<const Function> TimeFunctions();
std::span<const Function> LabelFunctions();
std::span<const Function> RateFunctions();
std::span<const Function> OverTimeFunctions();
std::span<const Function> HistogramFunctions();
std::span<const Function> VectorFunctions();

}  // namespace atalaya::promql
