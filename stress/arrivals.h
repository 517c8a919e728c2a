#pragma once

#include <cstdint>
#include <vector>

#include "stress/random.h"
#include "stress/rate_plan.h"

namespace atalaya::stress {

// The messages of one open flow that one worker has to send, in the order in which they are due.
// Constant: message k belongs to publisher k modulo all, so that every publisher sends at the same
// pace, evenly shifted. Poisson: gaps are exponential, publishers take turns. Threads: one at a
// time.
class FlowArrivals {
 public:
  // `mine`: the indexes of the worker's own publishers within the flow, rising; `all`: how many
  // the flow has. `plan` must outlive this.
  FlowArrivals(const RatePlan* plan, std::vector<std::uint32_t> mine, std::int64_t all,
               bool poisson, std::uint64_t seed)
      : plan_(plan), mine_(std::move(mine)), all_(all), poisson_(poisson), random_(seed) {
    if (!mine_.empty()) Look();
  }

  std::int64_t due_ns() const { return due_ns_; }  // RatePlan::kNever when all are taken.
  std::size_t turn() const { return turn_; }       // Whose it is: an index into `mine`.

  void Advance() {
    if (++turn_ == mine_.size()) {
      turn_ = 0;
      ++round_;
    }
    Look();
  }

 private:
  void Look() {
    if (poisson_) {
      position_ +=
          random_.NextGap() * static_cast<double>(all_) / static_cast<double>(mine_.size());
    } else {
      position_ = static_cast<double>(round_ * static_cast<std::uint64_t>(all_) + mine_[turn_]);
    }
    due_ns_ = plan_->DueNs(position_, &hint_);
  }

  const RatePlan* plan_;
  std::vector<std::uint32_t> mine_;
  std::int64_t all_;
  bool poisson_;
  Random random_;
  std::size_t turn_ = 0;
  std::uint64_t round_ = 0;
  double position_ = 0;
  std::size_t hint_ = 0;
  std::int64_t due_ns_ = RatePlan::kNever;
};

}  // namespace atalaya::stress
