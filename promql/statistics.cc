#include "promql/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace atalaya::promql {
namespace {

// One step of Neumaier's sum: `sum` and `compensation` after adding `term`.
void Accumulate(double term, double* sum, double* compensation) {
  const double next = *sum + term;
  if (std::isinf(next)) {
    *compensation = 0;
  } else if (std::fabs(*sum) >= std::fabs(term)) {
    *compensation += (*sum - next) + term;
  } else {
    *compensation += (term - next) + *sum;
  }
  *sum = next;
}

bool Less(double a, double b) {
  if (std::isnan(a)) return !std::isnan(b);
  return a < b;
}

}  // namespace

void CompensatedSum::Add(double term) { Accumulate(term, &sum_, &compensation_); }

double CompensatedSum::Total() const { return std::isinf(sum_) ? sum_ : sum_ + compensation_; }

double Sum(std::span<const double> values) {
  CompensatedSum sum;
  for (const double value : values) sum.Add(value);
  return sum.Total();
}

double Mean(std::span<const double> values) {
  double sum = values[0];
  double compensation = 0;
  double mean = 0;
  bool running = false;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double count = static_cast<double>(i + 1);
    if (!running) {
      double next = sum;
      double next_compensation = compensation;
      Accumulate(values[i], &next, &next_compensation);
      if (!std::isinf(next)) {
        sum = next;
        compensation = next_compensation;
        continue;
      }
      running = true;
      mean = sum / (count - 1);
      compensation /= count - 1;
    }
    const double share = (count - 1) / count;
    mean *= share;
    compensation *= share;
    Accumulate(values[i] / count, &mean, &compensation);
  }
  if (running) return mean + compensation;
  const double count = static_cast<double>(values.size());
  return sum / count + compensation / count;
}

double Variance(std::span<const double> values) {
  double count = 0;
  double mean = 0;
  double mean_lost = 0;
  double squares = 0;
  double squares_lost = 0;
  for (const double value : values) {
    ++count;
    const double delta = value - (mean + mean_lost);
    Accumulate(delta / count, &mean, &mean_lost);
    Accumulate(delta * (value - (mean + mean_lost)), &squares, &squares_lost);
  }
  return (squares + squares_lost) / count;
}

double Minimum(std::span<const double> values) {
  double least = values[0];
  for (const double value : values) {
    if (value < least || std::isnan(least)) least = value;
  }
  return least;
}

double Maximum(std::span<const double> values) {
  double most = values[0];
  for (const double value : values) {
    if (value > most || std::isnan(most)) most = value;
  }
  return most;
}

double Quantile(double q, std::vector<double> values) {
  if (values.empty() || std::isnan(q)) return std::numeric_limits<double>::quiet_NaN();
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  std::sort(values.begin(), values.end(), Less);
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto lower = static_cast<std::size_t>(std::floor(rank));
  const std::size_t upper = std::min(values.size() - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[lower] * (1 - weight) + values[upper] * weight;
}

}  // namespace atalaya::promql
