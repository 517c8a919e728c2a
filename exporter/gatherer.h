#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "exporter/collector.h"

namespace atalaya::exporter {

struct NamedCollector {
  std::string name;
  std::unique_ptr<Collector> collector;
};

struct GatherOptions {
  std::chrono::milliseconds collector_deadline{1000};
  std::chrono::milliseconds queue_deadline{5000};  // For the scrape before this one to end.
};

// Runs the collectors of one scrape, each within its deadline. One that is over it is left behind
// with the thread it holds, said to have failed, and not entered again until it comes back; the
// others go on in a fresh thread. So there are never more threads than collectors, and one.
//
// Threads: any; scrapes run one after the other.
class Gatherer {
 public:
  Gatherer(std::vector<NamedCollector> collectors, const GatherOptions& options);
  ~Gatherer();  // Does not wait for a collector that hangs.
  Gatherer(const Gatherer&) = delete;
  Gatherer& operator=(const Gatherer&) = delete;

  // Appends the families of the collectors named in `only` (empty: of all), and for each of them
  // node_scrape_collector_success and _duration_seconds. kTimeout where earlier scrapes keep it
  // waiting.
  Status Gather(const std::set<std::string>& only, telemetry::TextWriter& page);

  std::vector<std::string> names() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  GatherOptions options_;
};

}  // namespace atalaya::exporter
