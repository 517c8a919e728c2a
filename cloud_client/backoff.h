#pragma once

#include <chrono>
#include <functional>

namespace atalaya::cloud_client {

// How long to wait before each next attempt: doubles from `min` to `max`, and each wait is drawn
// between a half and the whole of that, so that many clients that lost one server do not come back
// together. Threads: one at a time.
class Backoff {
 public:
  // `random` returns 0 to 1, 1 left out.
  Backoff(std::chrono::milliseconds min, std::chrono::milliseconds max,
          std::function<double()> random);

  std::chrono::milliseconds Next();
  void Reset() { step_ = min_; }

 private:
  std::chrono::milliseconds min_;
  std::chrono::milliseconds max_;
  std::chrono::milliseconds step_;
  std::function<double()> random_;
};

}  // namespace atalaya::cloud_client
