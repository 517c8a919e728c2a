#include "stress/figures.h"

#include <algorithm>

namespace atalaya::stress {

void WorkerFigures::Merge(const WorkerFigures& other) {
  wanted += other.wanted;
  connected += other.connected;
  load_cpu_ns += other.load_cpu_ns;
  load_wall_ns += other.load_wall_ns;
  held_back += other.held_back;
  for (std::size_t i = 0; i < kFailureClasses; ++i) {
    failures[i] += other.failures[i];
    if (failure_examples[i].empty()) failure_examples[i] = other.failure_examples[i];
  }
  ledger += other.ledger;
  response.Merge(other.response);
  service.Merge(other.service);
  send_lag.Merge(other.send_lag);
  attend_lag.Merge(other.attend_lag);
}

void IntervalFigures::Merge(const IntervalFigures& other) {
  load_ns = std::max(load_ns, other.load_ns);
  sent += other.sent;
  received += other.received;
  bytes_out += other.bytes_out;
  bytes_in += other.bytes_in;
  failures += other.failures;
  cpu_ns += other.cpu_ns;
  response.Merge(other.response);
}

}  // namespace atalaya::stress
