#include "alertd/collect/prober.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <unordered_map>

#include "alertd/collect/loop_thread.h"
#include "alertd/collect/probe/probe.h"
#include "alertd/collect/probe/probe_series.h"
#include "alertd/collect/probe/probe_tools.h"
#include "alertd/collect/scrape_schedule.h"

namespace atalaya::alertd {
namespace {

constexpr HttpClientLimits kProbeClientLimits{
    .requests = kMaxTargets, .connections = kMaxTargets, .connections_per_host = kMaxTargets};

telemetry::Labels LabelsOf(const ProbeConfig& config) {
  telemetry::Labels labels({config.labels.begin(), config.labels.end()});
  labels.Set("probe", config.name);
  return labels;
}

// One target, and its round while one is under way.
struct Watched {
  explicit Watched(const ProbeConfig& with)
      : config(with),
        labels(LabelsOf(config)),
        schedule(ScrapeSchedule::Spread(config.interval, labels.Hash())),
        series(labels) {}

  const ProbeConfig config;
  const telemetry::Labels labels;
  const ScrapeSchedule schedule;
  ProbeSeries series;
  std::unique_ptr<Probe> probe;
  TargetBoard::Id id = 0;
  TimerId next_round = 0;
  std::int64_t due_ns = 0;        // When the last round was due, steady clock.
  std::int64_t last_time_ms = 0;  // Of the last samples.
  std::optional<bool> up;         // What the rounds so far say.
  int good_rounds = 0;            // In a row.
  bool stirred = false;           // A round was begun early since the last that was due.

  bool looking = false;
  int looks = 0;              // Of the round.
  std::int64_t round_ms = 0;  // When it began.
  std::int64_t look_ns = 0;   // When its last look began.
};

}  // namespace

struct Prober::Impl {
  Impl(TargetBoard& with_board, SampleQueue& with_queue, const Clock& with_clock,
       std::unique_ptr<EventLoop> loop)
      : board(with_board), queue(with_queue), clock(with_clock), thread(std::move(loop)) {}

  void Add(const ProbeConfig& config);
  void BeginAll();
  void BeginDue(Watched& watched);
  void Stir(Watched& watched);
  void BeginRound(Watched& watched, std::int64_t time_ms);
  void Look(Watched& watched);
  void Finish(Watched& watched, ProbeOutcome outcome);
  void Report(Watched& watched, const ProbeOutcome& outcome, std::chrono::nanoseconds took);
  void Schedule(Watched& watched);

  TargetBoard& board;
  SampleQueue& queue;
  const Clock& clock;
  std::atomic<std::uint64_t> looks{0};
  std::array<std::atomic<std::uint64_t>, kProbeFaultNames.size()> failed{};
  bool stopping = false;  // What is under way then is not looked at any more.
  LoopThread thread;
  // The probes end before what they share, but for requests, which end with a word to them.
  Pinger pinger{thread.loop()};
  CommandSlots slots;
  TlsContexts tls;
  std::vector<std::unique_ptr<Watched>> all;
  SideThreads side{thread.loop()};
  HttpTransfers http{thread.loop(), kProbeClientLimits};
  ProbeTools tools{thread.loop(), clock, side, http, pinger, slots, tls};
};

void Prober::Impl::Add(const ProbeConfig& config) {
  auto watched = std::make_unique<Watched>(config);
  watched->probe = MakeProbe(
      watched->config, tools,
      {[this, to = watched.get()](ProbeOutcome outcome) { Finish(*to, std::move(outcome)); },
       [this, to = watched.get()] { Stir(*to); }});
  watched->id = board.Add({.kind = TargetKind::kProbe,
                           .pool = config.name,
                           .address = config.target,
                           .labels = watched->labels,
                           .last_error = "",
                           .interval = config.interval,
                           .timeout = config.timeout});
  all.push_back(std::move(watched));
}

void Prober::Impl::BeginAll() {
  for (const auto& each : all) {
    Watched& watched = *each;
    const auto within = std::min(watched.config.interval, kFirstLookWithin);
    const std::chrono::milliseconds first(
        ScrapeSchedule::Spread(within, watched.labels.Hash()).offset_ms);
    watched.due_ns = clock.SteadyNs() + std::chrono::nanoseconds(first).count();
    watched.next_round = thread.loop().RunAfter(first, [this, &watched] { BeginDue(watched); });
  }
}

void Prober::Impl::BeginDue(Watched& watched) {
  watched.stirred = false;
  const std::int64_t now_ms = clock.NowMs();
  // Never in the future, where rules would not see it yet.
  BeginRound(watched, std::min(now_ms, watched.schedule.Aligned(now_ms)));
}

void Prober::Impl::Stir(Watched& watched) {
  if (watched.looking || watched.stirred || stopping) return;
  watched.stirred = true;
  thread.loop().CancelTimer(watched.next_round);
  BeginRound(watched, clock.NowMs());
}

void Prober::Impl::BeginRound(Watched& watched, std::int64_t time_ms) {
  watched.looking = true;
  watched.looks = 0;
  watched.round_ms = std::max(time_ms, watched.last_time_ms + 1);
  Look(watched);
}

void Prober::Impl::Look(Watched& watched) {
  ++watched.looks;
  watched.look_ns = clock.SteadyNs();
  watched.probe->Begin();
}

void Prober::Impl::Finish(Watched& watched, ProbeOutcome outcome) {
  if (stopping) return;
  ++looks;
  if (outcome.fault) ++failed[static_cast<std::size_t>(outcome.fault->kind)];
  if (outcome.fault && watched.up != false && watched.looks <= watched.config.retries) {
    thread.loop().RunAfter(kRetryPause, [this, &watched] { Look(watched); });
    return;
  }
  watched.looking = false;
  Report(watched, outcome, std::chrono::nanoseconds(clock.SteadyNs() - watched.look_ns));
  Schedule(watched);
}

void Prober::Impl::Report(Watched& watched, const ProbeOutcome& outcome,
                          std::chrono::nanoseconds took) {
  const int recovery = watched.config.recovery;
  watched.good_rounds = outcome.fault ? 0 : watched.good_rounds + 1;
  const bool up = !outcome.fault && (watched.up != false || watched.good_rounds >= recovery);
  std::string error = outcome.fault ? outcome.fault->message : "";
  if (!outcome.fault && !up)
    error = fmt::format("well {} times in a row, of {}", watched.good_rounds, recovery);
  board.Looked(watched.id, error, clock.NowMs(), took, outcome.note);

  SampleBatch batch;
  watched.series.Write(up, std::chrono::duration<double>(took).count(), outcome.values,
                       watched.round_ms, batch.samples);
  if (watched.up != up) batch.event_ns = clock.SteadyNs();
  if (!watched.up) batch.saved = [&to = board, id = watched.id] { to.Arrived(id); };
  watched.up = up;
  watched.last_time_ms = watched.round_ms;
  queue.Push(std::move(batch));
}

// The next round is due at the next of the target's times. Those that went by meanwhile are left
// out.
void Prober::Impl::Schedule(Watched& watched) {
  const std::int64_t interval_ns = watched.schedule.interval_ms * kNsPerMs;
  const std::int64_t now_ns = clock.SteadyNs();
  std::int64_t next_ns = now_ns + watched.schedule.UntilNextMs(clock.NowMs()) * kNsPerMs;
  // A timer that came a little early must not bring the same time again.
  if (next_ns - watched.due_ns < interval_ns / 2) next_ns += interval_ns;
  watched.due_ns = next_ns;
  watched.next_round = thread.loop().RunAfter(std::chrono::nanoseconds(next_ns - now_ns),
                                              [this, &watched] { BeginDue(watched); });
}

Prober::Prober(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Prober::~Prober() {
  impl_->thread.Stop();
  impl_->stopping = true;
}

void Prober::End(const std::vector<ProbeConfig>& next) {
  impl_->thread.Stop();
  impl_->stopping = true;
  std::unordered_map<std::string_view, const ProbeConfig*> by_name;
  for (const ProbeConfig& config : next) by_name[config.name] = &config;
  for (const auto& watched : impl_->all) {
    impl_->board.Remove(watched->id);
    const auto same = by_name.find(watched->config.name);
    if (!watched->up || (same != by_name.end() && *same->second == watched->config)) continue;
    SampleBatch batch;
    watched->series.EndAll(std::max(impl_->clock.NowMs(), watched->last_time_ms + 1),
                           batch.samples);
    impl_->queue.Push(std::move(batch));
  }
}

ProbeFigures Prober::Figures() const {
  ProbeFigures figures;
  figures.looks = impl_->looks;
  std::copy(impl_->failed.begin(), impl_->failed.end(), figures.failed.begin());
  return figures;
}

Result<std::unique_ptr<Prober>> Prober::Create(const std::vector<ProbeConfig>& probes,
                                               TargetBoard& board, SampleQueue& queue,
                                               const Clock& clock) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) return Forward(loop.error());
  auto impl = std::make_unique<Impl>(board, queue, clock, std::move(*loop));
  for (const ProbeConfig& config : probes) impl->Add(config);
  impl->thread.loop().Post([impl = impl.get()] { impl->BeginAll(); });
  impl->thread.Start();
  return std::unique_ptr<Prober>(new Prober(std::move(impl)));
}

}  // namespace atalaya::alertd
