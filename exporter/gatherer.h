#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "exporter/baton.h"
#include "exporter/collector.h"

namespace atalaya::exporter {

struct NamedCollector {
  std::string name;
  std::unique_ptr<Collector> collector;
  bool of_devices = false;  // As in CollectorInfo.
};

struct GatherOptions {
  std::chrono::milliseconds collector_deadline{1000};
  std::chrono::milliseconds scrape_deadline{3000};  // No collector is entered after it.
};

// Runs the collectors of one scrape, one after the other, each within its deadline. One that is
// over it is left behind with the thread it holds, said to have failed, and not entered again until
// it comes back. So there are never more threads than collectors, and two.
//
// Threads: the one that carries the baton.
class Gatherer {
 public:
  // `context`: told when a scrape begins; may be null.
  Gatherer(std::vector<NamedCollector> collectors, const GatherOptions& options,
           std::shared_ptr<Baton> baton, std::shared_ptr<ScrapeContext> context);
  ~Gatherer();
  Gatherer(const Gatherer&) = delete;
  Gatherer& operator=(const Gatherer&) = delete;

  // Begins a scrape of the collectors named in `only` (empty: of all).
  void Begin(const std::set<std::string>& only, telemetry::TextFormat format);

  // Carries the scrape on. True at its end; false where this thread has been left behind (Baton::
  // Try), and another has to call this again.
  bool GoOn();

  // The step that runs is overdue: Baton::Work.
  void Overdue();

  // Appends the families of the scrape that has ended, and for each collector
  // node_scrape_collector_success and _duration_seconds.
  void Write(telemetry::TextWriter& page) const;

  const std::vector<std::string>& names() const { return names_; }

 private:
  struct Slot;
  struct Outcome;
  void Enter(Slot& slot, Outcome& outcome);
  void AppendForeign(const Slot& slot, telemetry::TextWriter& page) const;

  GatherOptions options_;
  std::shared_ptr<Baton> baton_;
  std::shared_ptr<ScrapeContext> context_;
  std::vector<std::string> names_;
  std::vector<std::shared_ptr<Slot>> slots_;
  // The scrape.
  telemetry::TextFormat format_ = telemetry::TextFormat::kPrometheus;
  std::vector<Outcome> outcomes_;
  std::size_t next_ = 0;  // The outcome that is being got, or is next.
  std::int64_t began_ns_ = 0;
};

}  // namespace atalaya::exporter
