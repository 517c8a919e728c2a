#include "alertd/collect/scraper.h"

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "alertd/collect/collector.h"
#include "alertd/collect/loop_thread.h"
#include "alertd/collect/scrape_schedule.h"
#include "alertd/collect/scrape_series.h"
#include "alertd/collect/scrape_target.h"
#include "alertd/collect/target_files.h"
#include "base/http_transfers.h"
#include "base/log.h"

namespace atalaya::alertd {
namespace {

using telemetry::Labels;
using telemetry::Series;

// As Prometheus 2.42 asks.
constexpr std::string_view kAccept =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
constexpr int kStatusOk = 200;

// Every target may hang at once, and one that is replaced meanwhile beside it.
constexpr HttpClientLimits kClientLimits{.requests = 2 * kMaxTargets,
                                         .connections = 2 * kMaxTargets,
                                         .connections_per_host = 2 * kMaxTargets,
                                         .body_bytes = kMaxPageBytesTogether};

HttpClientRequest RequestFor(const ScrapeTarget& target, const ScrapeConfig& config) {
  HttpClientRequest request;
  request.url = target.url;
  request.headers = {{"Accept", std::string(kAccept)},
                     {"X-Prometheus-Scrape-Timeout-Seconds",
                      fmt::format("{}", std::chrono::duration<double>(target.timeout).count())}};
  request.username = config.username;
  request.password = config.password;
  request.bearer_token = config.bearer_token;
  request.ca_file = config.ca_file;
  request.timeout = target.timeout;
  request.body_limit_bytes = config.limits.body_bytes;
  request.gzip = true;
  return request;
}

std::optional<ScrapeFault> FaultOf(const Result<HttpClientReply>& reply) {
  if (reply && reply->status == kStatusOk) return std::nullopt;
  if (reply)
    return ScrapeFault{ScrapeFaultKind::kStatus, fmt::format("answered {}", reply->status)};
  const ErrorCode code = reply.error().code;
  return ScrapeFault{code == ErrorCode::kTimeout ? ScrapeFaultKind::kTimeout
                     : code == ErrorCode::kLimit ? ScrapeFaultKind::kBodyLimit
                     : code == ErrorCode::kBusy  ? ScrapeFaultKind::kMemoryLimit
                                                 : ScrapeFaultKind::kConnection,
                     reply.error().message};
}

telemetry::TextFormat FormatOf(const HttpClientReply& reply) {
  const auto type = reply.headers.find("content-type");
  return telemetry::FormatOfContentType(type == reply.headers.end() ? "" : type->second);
}

// One target that is being scraped.
struct Target {
  Target(ScrapeTarget with, const ScrapeConfig& config)
      : made(std::move(with)),
        request(RequestFor(made, config)),
        rules{config.honor_labels, config.honor_timestamps, config.limits},
        schedule(ScrapeSchedule::Spread(made.interval, Hash())),
        pool(config.job),
        series(made.labels, rules),
        up(NamedSeries(made.labels, "up")),
        duration(NamedSeries(made.labels, "scrape_duration_seconds")),
        scraped(NamedSeries(made.labels, "scrape_samples_scraped")),
        relabelled(NamedSeries(made.labels, "scrape_samples_post_metric_relabeling")),
        added(NamedSeries(made.labels, "scrape_series_added")) {}

  std::uint64_t Hash() const {
    Labels all = made.labels;
    all.Set("__url__", made.url);
    return all.Hash();
  }

  ScrapeTarget made;
  HttpClientRequest request;
  PageRules rules;
  ScrapeSchedule schedule;
  const std::string pool;
  ScrapeSeries series;
  const std::shared_ptr<Series> up, duration, scraped, relabelled, added;
  TargetBoard::Id id = 0;
  std::int64_t due_ns = 0;   // When a scrape is due, steady clock.
  std::optional<bool> last;  // How the last scrape ended.
  bool gone = false;         // It is no target any more; a reply may still come.
};

}  // namespace

struct Scraper::Impl {
  using TargetPtr = std::shared_ptr<Target>;
  // What makes two targets the same through a change of the configuration: all but their times.
  using Key = std::pair<std::string, std::string>;  // Labels and URL.

  Impl(TargetBoard& with_board, MetadataBoard& with_metadata, SampleQueue& with_queue,
       const Clock& with_clock, std::unique_ptr<EventLoop> loop)
      : board(with_board),
        metadata(with_metadata),
        queue(with_queue),
        clock(with_clock),
        thread(std::move(loop)) {}

  void Configure(std::vector<ScrapeConfig> scrapes);
  void Sync();
  bool Want(const ScrapeConfig& config, const std::string& address, const LabelMap& labels,
            std::map<Key, TargetPtr>& wanted);
  TargetPtr GoOn(const TargetPtr& target, Target& changed);
  void BeginTarget(const TargetPtr& target);
  void EndTarget(Target& target);
  void Begin(const TargetPtr& target);
  void Finish(const TargetPtr& target, const Result<HttpClientReply>& reply, std::int64_t begin_ms,
              std::int64_t begin_ns);
  void Push(Target& target, SampleBatch batch, const PageFigures& page, std::int64_t time_ms,
            std::chrono::nanoseconds took);
  void Count(const PageFigures& page, std::size_t body_bytes);
  void Schedule(const TargetPtr& target);

  TargetBoard& board;
  MetadataBoard& metadata;
  SampleQueue& queue;
  const Clock& clock;
  std::vector<ScrapeConfig> configs;
  std::map<Key, TargetPtr> targets;
  std::set<std::string> said;  // Faults of targets that were logged.
  mutable std::mutex figures_mutex;
  ScrapeFigures figures;
  bool stopping = false;  // What is under way then is not looked at any more.
  LoopThread thread;
  std::unique_ptr<TargetFiles> files;
  HttpTransfers client{thread.loop(), kClientLimits};
};

void Scraper::Impl::Configure(std::vector<ScrapeConfig> scrapes) {
  configs = std::move(scrapes);
  std::vector<std::string> patterns;
  for (const ScrapeConfig& config : configs)
    patterns.insert(patterns.end(), config.files.begin(), config.files.end());
  files->Watch(std::move(patterns));
  Sync();
}

// Makes the targets what configuration and files say.
void Scraper::Impl::Sync() {
  std::map<Key, TargetPtr> wanted;
  std::size_t left_out = 0;
  for (const ScrapeConfig& config : configs) {
    for (const std::string& address : config.targets)
      left_out += Want(config, address, {}, wanted) ? 0 : 1;
    for (const std::string& pattern : config.files) {
      for (const TargetGroup& group : files->Groups(pattern)) {
        for (const std::string& address : group.addresses)
          left_out += Want(config, address, group.labels, wanted) ? 0 : 1;
      }
    }
  }
  std::map<Key, TargetPtr> before = std::exchange(targets, std::move(wanted));
  for (auto& [key, target] : targets) {
    const auto known = before.find(key);
    if (known == before.end() || known->second->rules != target->rules) continue;
    target = GoOn(known->second, *target);
    before.erase(known);
  }
  for (const auto& [key, target] : before) EndTarget(*target);
  for (const auto& [key, target] : targets) {
    if (target->id == 0) BeginTarget(target);
  }
  const std::lock_guard lock(figures_mutex);
  figures.broken_files = files->broken();
  figures.left_out = left_out;
}

// False where it is left out, which is said once. The same target twice is one.
bool Scraper::Impl::Want(const ScrapeConfig& config, const std::string& address,
                         const LabelMap& labels, std::map<Key, TargetPtr>& wanted) {
  Result<ScrapeTarget> made = MakeScrapeTarget(config, address, labels);
  if (made && wanted.size() >= kMaxTargets)
    made = Fail(ErrorCode::kLimit, "there are {} targets already", kMaxTargets);
  if (!made) {
    if (said.size() < kMaxTargets && said.insert(config.job + '\n' + address).second)
      LogWarning("{} {}: left out: {}", config.job, address, made.error().message);
    return false;
  }
  Key key(made->labels.ToString(), made->url);
  if (!wanted.contains(key))
    wanted.emplace(std::move(key), std::make_shared<Target>(std::move(*made), config));
  return true;
}

// The target as it was, from now on with the times and the authorization of `changed`.
Scraper::Impl::TargetPtr Scraper::Impl::GoOn(const TargetPtr& target, Target& changed) {
  target->made = std::move(changed.made);
  target->request = std::move(changed.request);
  target->schedule = changed.schedule;
  board.SetTimes(target->id, target->made.interval, target->made.timeout);
  return target;
}

void Scraper::Impl::BeginTarget(const TargetPtr& target) {
  target->id = board.Add({.kind = TargetKind::kScrape,
                          .pool = target->pool,
                          .address = target->made.url,
                          .labels = target->made.labels,
                          .discovered = target->made.discovered,
                          .last_error = "",
                          .interval = target->made.interval,
                          .timeout = target->made.timeout});
  const auto within = std::min(target->made.interval, kFirstScrapeWithin);
  const std::chrono::milliseconds first(ScrapeSchedule::Spread(within, target->Hash()).offset_ms);
  target->due_ns = clock.SteadyNs() + std::chrono::nanoseconds(first).count();
  thread.loop().RunAfter(first, [this, target] { Begin(target); });
}

void Scraper::Impl::EndTarget(Target& target) {
  target.gone = true;
  board.Remove(target.id);
  metadata.Remove(target.id);
  if (!target.last) return;
  const std::int64_t now_ms = clock.NowMs();
  SampleBatch batch =
      EndOf({target.up, target.duration, target.scraped, target.relabelled, target.added}, now_ms);
  target.series.EndAll(now_ms, batch.samples);
  queue.Push(std::move(batch));
}

void Scraper::Impl::Begin(const TargetPtr& target) {
  if (target->gone) return;
  const std::int64_t begin_ms = target->schedule.Aligned(clock.NowMs());
  const std::int64_t begin_ns = clock.SteadyNs();
  client.Send(target->request,
              [this, target, begin_ms, begin_ns](const Result<HttpClientReply>& reply) {
                if (!stopping) Finish(target, reply, begin_ms, begin_ns);
              });
}

void Scraper::Impl::Finish(const TargetPtr& target, const Result<HttpClientReply>& reply,
                           std::int64_t begin_ms, std::int64_t begin_ns) {
  if (target->gone) return;
  SampleBatch batch;
  PageFigures page;
  page.fault = FaultOf(reply);
  if (page.fault) {
    target->series.EndAll(begin_ms, batch.samples);
  } else {
    page = target->series.ReadPage(reply->body, FormatOf(*reply), begin_ms, batch.samples);
    if (page.families) metadata.Put(target->id, std::move(*page.families));
  }
  const std::chrono::nanoseconds took(clock.SteadyNs() - begin_ns);
  Count(page, page.fault ? 0 : reply->body.size());
  board.Looked(target->id, page.fault ? page.fault->message : "", begin_ms, took);
  Push(*target, std::move(batch), page, begin_ms, took);
  Schedule(target);
}

void Scraper::Impl::Push(Target& target, SampleBatch batch, const PageFigures& page,
                         std::int64_t time_ms, std::chrono::nanoseconds took) {
  const bool up = !page.fault;
  const auto add = [&](const std::shared_ptr<Series>& series, double value) {
    batch.samples.push_back({series, {time_ms, value}});
  };
  add(target.up, up ? 1 : 0);
  add(target.duration, std::chrono::duration<double>(took).count());
  add(target.scraped, static_cast<double>(page.scraped));
  add(target.relabelled, static_cast<double>(page.scraped));
  add(target.added, static_cast<double>(page.added));
  if (target.last != up) batch.event_ns = clock.SteadyNs();
  if (!target.last) batch.saved = [&to = board, id = target.id] { to.Arrived(id); };
  target.last = up;
  queue.Push(std::move(batch));
}

void Scraper::Impl::Count(const PageFigures& page, std::size_t body_bytes) {
  const std::lock_guard lock(figures_mutex);
  ++figures.scrapes;
  figures.body_bytes += body_bytes;
  if (page.fault) ++figures.failed[static_cast<std::size_t>(page.fault->kind)];
}

// The next scrape is due at the next of the target's times; where that went by during this one, at
// once. Those of which nothing is left are missed.
void Scraper::Impl::Schedule(const TargetPtr& target) {
  const std::int64_t interval_ns = target->schedule.interval_ms * kNsPerMs;
  const std::int64_t now_ns = clock.SteadyNs();
  const std::int64_t late = (now_ns - target->due_ns) / interval_ns;
  if (late > 0) {
    target->due_ns += late * interval_ns;
    const std::lock_guard lock(figures_mutex);
    figures.missed += static_cast<std::uint64_t>(late) - 1;
  } else {
    std::int64_t next_ns = now_ns + target->schedule.UntilNextMs(clock.NowMs()) * kNsPerMs;
    // A clock that was set back a little must not bring the same time again.
    if (next_ns - target->due_ns < interval_ns / 2) next_ns += interval_ns;
    target->due_ns = next_ns;
  }
  thread.loop().RunAfter(
      std::chrono::nanoseconds(std::max<std::int64_t>(target->due_ns - now_ns, 0)),
      [this, target] { Begin(target); });
}

Scraper::Scraper(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Scraper::~Scraper() {
  impl_->thread.Stop();
  impl_->stopping = true;
}

void Scraper::Replace(std::vector<ScrapeConfig> scrapes) {
  impl_->thread.loop().Post(
      [impl = impl_.get(), scrapes = std::move(scrapes)] { impl->Configure(scrapes); });
}

ScrapeFigures Scraper::Figures() const {
  const std::lock_guard lock(impl_->figures_mutex);
  return impl_->figures;
}

Result<std::unique_ptr<Scraper>> Scraper::Create(std::vector<ScrapeConfig> scrapes,
                                                 TargetBoard& board, MetadataBoard& metadata,
                                                 SampleQueue& queue, const Clock& clock) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) return Forward(loop.error());
  auto impl = std::make_unique<Impl>(board, metadata, queue, clock, std::move(*loop));
  Result<std::unique_ptr<TargetFiles>> files =
      TargetFiles::Create(impl->thread.loop(), [impl = impl.get()] { impl->Sync(); });
  if (!files) return Forward(files.error());
  impl->files = std::move(*files);
  impl->Configure(std::move(scrapes));  // Before it runs: from now on all targets are known.
  impl->thread.Start();
  return std::unique_ptr<Scraper>(new Scraper(std::move(impl)));
}

}  // namespace atalaya::alertd
