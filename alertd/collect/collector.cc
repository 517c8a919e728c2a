#include "alertd/collect/collector.h"

#include "alertd/collect/prober.h"
#include "alertd/collect/process_watcher.h"
#include "alertd/collect/sample_queue.h"
#include "alertd/collect/scraper.h"
#include "alertd/collect/target_board.h"
#include "alertd/collect/telemetry_input.h"

namespace atalaya::alertd {

// In the order of dependence: who looks ends before the queue, which empties itself before the
// board that it reports to goes.
struct Collector::Impl {
  Impl(SampleQueue::Append append, SampleQueue::OnEvent on_event)
      : queue(std::move(append), std::move(on_event)) {}

  TargetBoard board;
  SampleQueue queue;
  std::unique_ptr<TelemetryInput> telemetry;
  std::unique_ptr<Scraper> scraper;
  std::unique_ptr<Prober> prober;
  std::unique_ptr<ProcessWatcher> processes;
};

Collector::Collector(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Collector::~Collector() = default;

Result<std::unique_ptr<Collector>> Collector::Start(CollectorOptions options,
                                                    CollectorConfig config) {
  auto impl = std::make_unique<Impl>(std::move(options.append), std::move(options.on_event));
  const Clock& clock = *options.clock;
  if (!config.scrapes.empty()) {
    Result<std::unique_ptr<Scraper>> scraper =
        Scraper::Create(config.scrapes, impl->board, impl->queue, clock);
    if (!scraper) return Forward(scraper.error());
    impl->scraper = std::move(*scraper);
  }
  if (!config.probes.empty()) {
    Result<std::unique_ptr<Prober>> prober =
        Prober::Create(config.probes, impl->board, impl->queue, clock);
    if (!prober) return Forward(prober.error());
    impl->prober = std::move(*prober);
  }
  if (!config.processes.empty()) {
    Result<std::unique_ptr<ProcessWatcher>> processes =
        ProcessWatcher::Create(config.processes, impl->board, impl->queue, clock);
    if (!processes) return Forward(processes.error());
    impl->processes = std::move(*processes);
  }
  if (config.telemetry) {
    Result<std::unique_ptr<TelemetryInput>> telemetry =
        TelemetryInput::Create(*config.telemetry, impl->board, impl->queue, clock);
    if (!telemetry) return Forward(telemetry.error());
    impl->telemetry = std::move(*telemetry);
  }
  return std::unique_ptr<Collector>(new Collector(std::move(impl)));
}

bool Collector::Settled() const { return impl_->board.AllArrived(); }

TargetsSnapshot Collector::Snapshot() const {
  TargetsSnapshot snapshot;
  snapshot.targets = impl_->board.Snapshot();
  snapshot.samples = impl_->queue.samples();
  snapshot.dropped_batches = impl_->queue.dropped_batches();
  snapshot.refused_packets = impl_->telemetry ? impl_->telemetry->refused() : 0;
  return snapshot;
}

}  // namespace atalaya::alertd
