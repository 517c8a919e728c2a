#pragma once

#include <cstdint>
#include <vector>

namespace atalaya {

// A log-linear histogram of nanoseconds: 128 steps in each power of two, so that every figure is
// within 1/128 (0.8 %) of what was recorded. Covers 0 to 2^42 ns (73 minutes); longer ones count as
// that. Merging adds counts, which is the only right way to join two: percentiles are never
// averaged. Threads: one at a time.
class LatencyHistogram {
 public:
  LatencyHistogram();

  void Record(std::int64_t latency_ns, std::uint64_t times = 1);
  void Merge(const LatencyHistogram& other);
  void Clear();

  std::uint64_t count() const { return count_; }
  std::int64_t max_ns() const { return max_ns_; }
  std::int64_t min_ns() const { return count_ == 0 ? 0 : min_ns_; }
  double MeanNs() const;

  // The latency that `percent` (0 to 100) of the records do not exceed: the upper edge of its step,
  // and never more than the largest record. 0 when empty.
  std::int64_t PercentileNs(double percent) const;

  // How many records are at most `latency_ns`, to the step.
  std::uint64_t CountAtMost(std::int64_t latency_ns) const;

 private:
  std::vector<std::uint64_t> steps_;
  std::uint64_t count_ = 0;
  std::int64_t max_ns_ = 0;
  std::int64_t min_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace atalaya
