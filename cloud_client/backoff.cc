#include "cloud_client/backoff.h"

#include <algorithm>
#include <utility>

namespace atalaya::cloud_client {

Backoff::Backoff(std::chrono::milliseconds min, std::chrono::milliseconds max,
                 std::function<double()> random)
    : min_(min), max_(std::max(min, max)), step_(min), random_(std::move(random)) {}

std::chrono::milliseconds Backoff::Next() {
  const double step_ms = static_cast<double>(step_.count());
  step_ = std::min(step_ * 2, max_);
  return std::chrono::milliseconds(
      static_cast<std::chrono::milliseconds::rep>(step_ms * (0.5 + random_() / 2)));
}

}  // namespace atalaya::cloud_client
