#include "alertd/collect/collector.h"

#include <mutex>
#include <utility>

#include "alertd/collect/metadata_board.h"
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
  explicit Impl(CollectorOptions options)
      : clock(*options.clock),
        known_clients(std::move(options.known_clients)),
        queue(std::move(options.append), std::move(options.when_durable),
              std::move(options.on_event)) {}

  Status SetScrapes();
  Status SetProbes();
  Status SetProcesses();
  Status SetTelemetry();

  const Clock& clock;
  const std::vector<std::string> known_clients;
  mutable std::mutex mutex;  // Guards which parts there are.
  CollectorConfig config;
  TargetBoard board;
  MetadataBoard metadata;
  SampleQueue queue;
  std::unique_ptr<TelemetryInput> telemetry;
  std::unique_ptr<Scraper> scraper;
  std::unique_ptr<Prober> prober;
  std::unique_ptr<ProcessWatcher> processes;
};

namespace {

// Puts what was made in its place, or fails as its making did.
template <typename Part>
Status Place(Result<std::unique_ptr<Part>> made, std::unique_ptr<Part>& place) {
  if (!made) return Forward(made.error());
  place = std::move(*made);
  return {};
}

// Ends a part for good.
template <typename Part>
void Remove(std::unique_ptr<Part>& part) {
  if (part) part->End();
  part.reset();
}

}  // namespace

Status Collector::Impl::SetScrapes() {
  if (scraper) {
    scraper->Replace(config.scrapes);
    return {};
  }
  if (config.scrapes.empty()) return {};
  return Place(Scraper::Create(config.scrapes, board, metadata, queue, clock), scraper);
}

Status Collector::Impl::SetProbes() {
  if (prober) prober->End(config.probes);
  prober.reset();
  if (config.probes.empty()) return {};
  return Place(Prober::Create(config.probes, board, queue, clock), prober);
}

Status Collector::Impl::SetProcesses() {
  Remove(processes);
  if (config.processes.empty()) return {};
  return Place(ProcessWatcher::Create(config.processes, board, queue, clock), processes);
}

Status Collector::Impl::SetTelemetry() {
  Remove(telemetry);  // First: two sessions with one client id would drive each other out.
  if (!config.telemetry) return {};
  return Place(TelemetryInput::Create(*config.telemetry, known_clients, board, queue, clock),
               telemetry);
}

Collector::Collector(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Collector::~Collector() = default;

Result<std::unique_ptr<Collector>> Collector::Start(CollectorOptions options,
                                                    CollectorConfig config) {
  std::unique_ptr<Collector> collector(new Collector(std::make_unique<Impl>(std::move(options))));
  if (Status started = collector->Reconfigure(std::move(config)); !started)
    return Forward(started.error());
  return collector;
}

Status Collector::Reconfigure(CollectorConfig config) {
  const std::lock_guard lock(impl_->mutex);
  const CollectorConfig old = std::exchange(impl_->config, std::move(config));
  const CollectorConfig& now = impl_->config;
  if (now.scrapes != old.scrapes) {
    if (Status set = impl_->SetScrapes(); !set) return set;
  }
  if (now.probes != old.probes) {
    if (Status set = impl_->SetProbes(); !set) return set;
  }
  if (now.processes != old.processes) {
    if (Status set = impl_->SetProcesses(); !set) return set;
  }
  if (now.telemetry != old.telemetry) return impl_->SetTelemetry();
  return {};
}

bool Collector::Settled() const { return impl_->board.AllArrived(); }

std::vector<TargetStatus> Collector::Targets() const { return impl_->board.Snapshot(); }

std::vector<telemetry::FamilyMetadata> Collector::Metadata() const {
  return impl_->metadata.Snapshot();
}

CollectFigures Collector::Figures() const {
  const std::lock_guard lock(impl_->mutex);
  CollectFigures figures;
  figures.targets = impl_->board.ByHealth();
  if (impl_->scraper) figures.scrapes = impl_->scraper->Figures();
  if (impl_->prober) figures.probes = impl_->prober->Figures();
  if (impl_->telemetry) figures.telemetry = impl_->telemetry->Figures();
  figures.samples = impl_->queue.samples();
  figures.queued_batches = impl_->queue.queued_batches();
  figures.dropped_batches = impl_->queue.dropped_batches();
  return figures;
}

}  // namespace atalaya::alertd
