#include <array>
#include <chrono>
#include <cmath>

#include "promql/evaluator.h"
#include "promql/functions.h"

namespace atalaya::promql {
namespace {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;

// Beyond these the calendar of std::chrono ends: the years -32767 to 32767.
constexpr double kCalendarSeconds = 9e11;

enum class Part {
  kYear,
  kMonth,
  kDayOfMonth,
  kDayOfWeek,
  kDayOfYear,
  kDaysInMonth,
  kHour,
  kMinute
};

template <Part kPart>
double DatePart(double value, const double* /*parameters*/) {
  if (!(std::fabs(value) < kCalendarSeconds)) return std::nan("");
  const sys_seconds time{seconds(static_cast<std::int64_t>(value))};
  const sys_days day = std::chrono::floor<days>(time);
  const year_month_day date(day);
  const std::int64_t of_day = (time - day).count();
  switch (kPart) {
    case Part::kYear:
      return static_cast<int>(date.year());
    case Part::kMonth:
      return static_cast<unsigned>(date.month());
    case Part::kDayOfMonth:
      return static_cast<unsigned>(date.day());
    case Part::kDayOfWeek:
      return std::chrono::weekday(day).c_encoding();
    case Part::kDayOfYear:
      return static_cast<double>((day - sys_days(date.year() / 1 / 1)).count() + 1);
    case Part::kDaysInMonth:
      return static_cast<unsigned>((date.year() / date.month() / std::chrono::last).day());
    case Part::kHour:
      return static_cast<double>(of_day / 3600);
    case Part::kMinute:
      return static_cast<double>(of_day / 60 % 60);
  }
  return std::nan("");
}

Result<Evaluated> Time(Evaluator& /*evaluator*/, const Call& /*call*/, const Grid& grid) {
  Evaluated result;
  result.type = ValueType::kScalar;
  for (std::size_t i = 0; i < grid.steps; ++i) {
    result.scalar.push_back(static_cast<double>(grid.At(i)) / 1000);
  }
  return result;
}

// Of a selector the times of the samples themselves.
Result<Evaluated> SampleTimes(Evaluator& evaluator, const Selector& selector, const Grid& grid) {
  const std::int64_t lookback_ms = evaluator.options().lookback_ms;
  Result<std::vector<telemetry::SeriesSamples>> raw = evaluator.Select(selector, grid, lookback_ms);
  if (!raw) return Forward(raw.error());
  Evaluated result;
  for (telemetry::SeriesSamples& one : *raw) {
    if (Status good = evaluator.Charge(grid.steps); !good) return Forward(good.error());
    StepSeries series{std::move(one.labels), std::vector<double>(grid.steps, Absent()), false};
    SampleCursor cursor(one.samples);
    for (std::size_t i = 0; i < grid.steps; ++i) {
      const auto window =
          cursor.Window(evaluator.ShiftedTime(selector.shift, grid.At(i)), lookback_ms);
      if (window.empty() || IsAbsent(window.back().value)) continue;
      series.values[i] = static_cast<double>(window.back().time_ms) / 1000;
    }
    result.series.push_back(std::move(series));
  }
  DropEmpty(&result.series);
  return result;
}

Result<Evaluated> Timestamp(Evaluator& evaluator, const Call& call, const Grid& grid) {
  const Expr& arg = WithoutParens(*call.args[0]);
  Result<Evaluated> result = arg.kind == Expr::Kind::kSelector
                                 ? SampleTimes(evaluator, static_cast<const Selector&>(arg), grid)
                                 : evaluator.Eval(arg, grid);
  if (!result) return result;
  for (StepSeries& series : result->series) {
    evaluator.DropName(&series);
    if (arg.kind == Expr::Kind::kSelector) continue;
    for (std::size_t i = 0; i < grid.steps; ++i) {
      if (!IsAbsent(series.values[i])) series.values[i] = static_cast<double>(grid.At(i)) / 1000;
    }
  }
  if (Status merged = evaluator.MergeAfterDrop(&result->series); !merged) {
    return Forward(merged.error());
  }
  return result;
}

constexpr Function Date(std::string_view name, ElementFunction element) {
  Function function{.name = name, .signature = "v?"};
  function.element = element;
  function.time_dependent = true;
  return function;
}

constexpr Function OfTime(std::string_view name, std::string_view signature, ValueType returns,
                          SpecialFunction special) {
  Function function{.name = name, .signature = signature, .returns = returns};
  function.special = special;
  function.time_dependent = true;
  return function;
}

constexpr std::array kTimeFunctions = {
    Date("day_of_month", DatePart<Part::kDayOfMonth>),
    Date("day_of_week", DatePart<Part::kDayOfWeek>),
    Date("day_of_year", DatePart<Part::kDayOfYear>),
    Date("days_in_month", DatePart<Part::kDaysInMonth>),
    Date("hour", DatePart<Part::kHour>),
    Date("minute", DatePart<Part::kMinute>),
    Date("month", DatePart<Part::kMonth>),
    OfTime("time", "", ValueType::kScalar, Time),
    OfTime("timestamp", "v", ValueType::kVector, Timestamp),
    Date("year", DatePart<Part::kYear>),
};

}  // namespace

std::span<const Function> TimeFunctions() { return kTimeFunctions; }

}  // namespace atalaya::promql
