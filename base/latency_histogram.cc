#include "base/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace atalaya {
namespace {

constexpr int kStepBits = 7;
constexpr std::uint64_t kStepsPerOctave = 1u << kStepBits;
constexpr int kLargestBits = 42;
constexpr std::size_t kStepCount = (kLargestBits - kStepBits + 1) * kStepsPerOctave;

// Values below 128 have a step each; above, the top 8 bits choose it.
std::size_t StepOf(std::uint64_t value) {
  if (value < kStepsPerOctave) return value;
  const int shift = static_cast<int>(std::bit_width(value)) - 1 - kStepBits;
  const std::uint64_t step = (static_cast<std::uint64_t>(shift) << kStepBits) + (value >> shift);
  return std::min<std::size_t>(step, kStepCount - 1);
}

std::int64_t UpperEdge(std::size_t step) {
  if (step < kStepsPerOctave) return static_cast<std::int64_t>(step);
  const std::uint64_t shift = (step >> kStepBits) - 1;
  const std::uint64_t top = (step & (kStepsPerOctave - 1)) + kStepsPerOctave;
  return static_cast<std::int64_t>(((top + 1) << shift) - 1);
}

}  // namespace

LatencyHistogram::LatencyHistogram() : steps_(kStepCount) {}

void LatencyHistogram::Record(std::int64_t latency_ns, std::uint64_t times) {
  const std::int64_t value = std::max<std::int64_t>(latency_ns, 0);
  steps_[StepOf(static_cast<std::uint64_t>(value))] += times;
  min_ns_ = count_ == 0 ? value : std::min(min_ns_, value);
  max_ns_ = std::max(max_ns_, value);
  count_ += times;
  sum_ns_ += static_cast<double>(value) * static_cast<double>(times);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.count_ == 0) return;
  for (std::size_t i = 0; i < kStepCount; ++i) steps_[i] += other.steps_[i];
  min_ns_ = count_ == 0 ? other.min_ns_ : std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
}

void LatencyHistogram::Clear() { *this = LatencyHistogram(); }

double LatencyHistogram::MeanNs() const {
  return count_ == 0 ? 0 : sum_ns_ / static_cast<double>(count_);
}

std::int64_t LatencyHistogram::PercentileNs(double percent) const {
  if (count_ == 0) return 0;
  const double wanted =
      std::ceil(std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_));
  const std::uint64_t rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kStepCount; ++i) {
    seen += steps_[i];
    if (seen >= rank) return std::min(UpperEdge(i), max_ns_);
  }
  return max_ns_;
}

std::uint64_t LatencyHistogram::CountAtMost(std::int64_t latency_ns) const {
  if (latency_ns < 0) return 0;
  const std::size_t last = StepOf(static_cast<std::uint64_t>(latency_ns));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i <= last; ++i) seen += steps_[i];
  return seen;
}

}  // namespace atalaya
