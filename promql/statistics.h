#pragma once

#include <span>
#include <vector>

namespace atalaya::promql {

// A sum that keeps what rounding loses (Kahan's method in Neumaier's form), so that the order of
// the terms and their magnitudes hardly matter.
class CompensatedSum {
 public:
  void Add(double term);
  double sum() const { return sum_; }
  double compensation() const { return compensation_; }
  double Total() const;  // The infinite sum as it is, else with what was lost.

 private:
  double sum_ = 0;
  double compensation_ = 0;
};

double Sum(std::span<const double> values);
// The plain mean; where the sum would overflow, the running one. `values` is not empty.
double Mean(std::span<const double> values);
// The population variance (Welford's method). `values` is not empty.
double Variance(std::span<const double> values);
double Minimum(std::span<const double> values);  // A NaN counts only where there is nothing else.
double Maximum(std::span<const double> values);
// Interpolates between the two nearest of the sorted values, NaN the smallest. -Inf for q < 0, +Inf
// for q > 1, NaN for NaN or no values.
double Quantile(double q, std::vector<double> values);

}  // namespace atalaya::promql
