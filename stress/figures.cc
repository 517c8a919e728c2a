#include "stress/figures.h"

#include <algorithm>

namespace atalaya::stress {

void WorkerFigures::Merge(const WorkerFigures& other) {
  wanted += other.wanted;
  connected += other.connected;
  reconnected += other.reconnected;
  due += other.due;
  load_cpu_ns += other.load_cpu_ns;
  load_wall_ns = std::max(load_wall_ns, other.load_wall_ns);
  held_back += other.held_back;
  refused_publishes += other.refused_publishes;
  send_calls += other.send_calls;
  for (std::size_t i = 0; i < kFailureClasses; ++i) {
    failures[i] += other.failures[i];
    fault_failures[i] += other.fault_failures[i];
    if (failure_examples[i].empty()) failure_examples[i] = other.failure_examples[i];
  }
  phases.resize(std::max(phases.size(), other.phases.size()));
  for (std::size_t i = 0; i < other.phases.size(); ++i) phases[i].Merge(other.phases[i]);
  send_lag.Merge(other.send_lag);
  attend_lag.Merge(other.attend_lag);
  connect.Merge(other.connect);
}

PhaseFigures WorkerFigures::Total() const {
  PhaseFigures total;
  for (const PhaseFigures& phase : phases) total.Merge(phase);
  return total;
}

void PhaseFigures::Merge(const PhaseFigures& other) {
  sent += other.sent;
  expected += other.expected;
  received += other.received;
  response.Merge(other.response);
  service.Merge(other.service);
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
