#pragma once

#include <chrono>
#include <cstdint>

#include "exporter/kernel_file.h"
#include "telemetry/text_writer.h"

namespace atalaya::exporter {

// The exporter's figures about itself: scrapes, its build, and its process.
// Threads: one at a time.
class SelfMetrics {
 public:
  SelfMetrics();

  void CountScrape(std::chrono::nanoseconds duration);

  // Appends the families. Reads /proc/self.
  void Write(telemetry::TextWriter& page);

 private:
  std::uint64_t scrapes_ = 0;
  double seconds_ = 0;
  double started_s_;
  double page_bytes_;
  KernelFile statm_{"/proc/self/statm", FileShape::kWhole};
};

}  // namespace atalaya::exporter
