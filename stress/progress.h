#pragma once

#include <cstdint>
#include <string>

#include "stress/run_record.h"

namespace atalaya::stress {

// Says on stderr how a run goes: on a terminal a few lines that are rewritten, else a line each
// second. Threads: one at a time.
class Progress {
 public:
  Progress(const Scenario& scenario, bool terminal);

  void Connecting(std::uint64_t ready, std::uint64_t failed);
  void Row(const TimelineRow& row);
  void Finish();  // Leaves the last lines standing.

  // "[3/10 s]  sent 1,000/s ...": without control characters.
  std::string LineFor(const TimelineRow& row) const;
  // The same in several lines, with a bar for the time.
  std::string PanelFor(const TimelineRow& row) const;

 private:
  void Show(const std::string& text);

  Scenario scenario_;
  bool terminal_;
  int open_lines_ = 0;  // That the next Show rewrites.
  std::uint64_t failures_ = 0;
};

}  // namespace atalaya::stress
