#include <array>
#include <cmath>
#include <numbers>

#include "promql/evaluator.h"
#include "promql/functions.h"

namespace atalaya::promql {
namespace {

template <double (*kMath)(double)>
double Plain(double value, const double* /*parameters*/) {
  return kMath(value);
}

double Sign(double value) {
  if (value < 0) return -1;
  return value > 0 ? 1 : value;
}

double ToDegrees(double value) { return value * 180 / std::numbers::pi; }
double ToRadians(double value) { return value * std::numbers::pi / 180; }

// NaN where either is, unlike std::fmin.
double Least(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::nan("");
  return a < b ? a : b;
}

double Most(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::nan("");
  return a > b ? a : b;
}

double Clamp(double value, const double* limits) {
  if (limits[0] > limits[1]) return Absent();
  return Most(limits[0], Least(limits[1], value));
}

double ClampMax(double value, const double* limits) { return Least(limits[0], value); }
double ClampMin(double value, const double* limits) { return Most(limits[0], value); }

// Half rounds up. Dividing by the inverse keeps 0.1 and the like exact.
double Round(double value, const double* nearest) {
  const double inverse = 1.0 / nearest[0];
  return std::floor(value * inverse + 0.5) / inverse;
}

Result<Evaluated> Pi(Evaluator& /*evaluator*/, const Call& /*call*/, const Grid& grid) {
  Evaluated result;
  result.type = ValueType::kScalar;
  result.scalar.assign(grid.steps, std::numbers::pi);
  return result;
}

constexpr Function Elementwise(std::string_view name, ElementFunction element) {
  Function function{.name = name, .signature = "v"};
  function.element = element;
  return function;
}

constexpr Function WithParameters(std::string_view name, std::string_view signature,
                                  ElementFunction element, double default_parameter = 0) {
  Function function{.name = name, .signature = signature};
  function.element = element;
  function.default_parameter = default_parameter;
  return function;
}

constexpr Function kPi{.name = "pi", .signature = "", .returns = ValueType::kScalar, .special = Pi};

constexpr std::array kMathFunctions = {
    Elementwise("abs", Plain<std::fabs>),
    Elementwise("acos", Plain<std::acos>),
    Elementwise("acosh", Plain<std::acosh>),
    Elementwise("asin", Plain<std::asin>),
    Elementwise("asinh", Plain<std::asinh>),
    Elementwise("atan", Plain<std::atan>),
    Elementwise("atanh", Plain<std::atanh>),
    Elementwise("ceil", Plain<std::ceil>),
    WithParameters("clamp", "vss", Clamp),
    WithParameters("clamp_max", "vs", ClampMax),
    WithParameters("clamp_min", "vs", ClampMin),
    Elementwise("cos", Plain<std::cos>),
    Elementwise("cosh", Plain<std::cosh>),
    Elementwise("deg", Plain<ToDegrees>),
    Elementwise("exp", Plain<std::exp>),
    Elementwise("floor", Plain<std::floor>),
    Elementwise("ln", Plain<std::log>),
    Elementwise("log10", Plain<std::log10>),
    Elementwise("log2", Plain<std::log2>),
    kPi,
    Elementwise("rad", Plain<ToRadians>),
    WithParameters("round", "vs?", Round, 1),
    Elementwise("sgn", Plain<Sign>),
    Elementwise("sin", Plain<std::sin>),
    Elementwise("sinh", Plain<std::sinh>),
    Elementwise("sqrt", Plain<std::sqrt>),
    Elementwise("tan", Plain<std::tan>),
    Elementwise("tanh", Plain<std::tanh>),
};

}  // namespace

std::span<const Function> MathFunctions() { return kMathFunctions; }

}  // namespace atalaya::promql
