#pragma once

#include <cstdint>
#include <string>

#include "stress/run_record.h"

namespace atalaya::stress {

// Says on stderr how a run goes: on a terminal one line that is rewritten, else a line each second.
// Threads: one at a time.
class Progress {
 public:
  Progress(const Scenario& scenario, bool terminal);

  void Connecting(std::uint64_t ready, std::uint64_t failed);
  void Row(const TimelineRow& row);
  void Finish();  // Leaves the last line standing.

  // "[ 3s/10s] sent 1,000/s ...": without control characters.
  std::string LineFor(const TimelineRow& row);

 private:
  void Show(const std::string& line);

  Scenario scenario_;
  bool terminal_;
  bool open_line_ = false;
  std::uint64_t failures_ = 0;
};

}  // namespace atalaya::stress
