#pragma once

#include <chrono>
#include <memory>

#include "telemetry/text_writer.h"

namespace atalaya::exporter {

// The exporter's figures about itself: scrapes by outcome, its build, and its process.
// Threads: any.
class SelfMetrics {
 public:
  SelfMetrics();
  ~SelfMetrics();

  void CountScrape(bool success, std::chrono::nanoseconds duration);

  // Appends the families. Reads /proc/self.
  void Write(telemetry::TextWriter& page) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::exporter
