#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "telemetry/text_writer.h"

namespace atalaya::alertd {

// Counts answers of 400 to 499 by what was wrong with the request. Threads: any.
class Refusals {
 public:
  void Count(int status);  // Of any answer; others are passed over.
  void Write(telemetry::TextWriter& page) const;

 private:
  static constexpr std::size_t kReasons = 9;
  std::array<std::atomic<std::uint64_t>, kReasons> counts_{};
};

}  // namespace atalaya::alertd
