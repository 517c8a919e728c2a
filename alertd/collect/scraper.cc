#include "alertd/collect/scraper.h"

#include <atomic>
#include <optional>
#include <unordered_set>

#include "alertd/collect/collector.h"
#include "alertd/collect/loop_thread.h"
#include "base/http_client.h"
#include "telemetry/text_reader.h"

namespace atalaya::alertd {
namespace {

using telemetry::Labels;

constexpr std::string_view kAccept =
    "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
constexpr int kStatusOk = 200;

// A page's sample as a series of the target: the target's own labels win, the page's are renamed.
Labels WithTargetLabels(Labels labels, const Labels& target) {
  for (const auto& [name, value] : target) {
    if (const std::string theirs(labels.Get(name)); !theirs.empty()) {
      std::string renamed = "exported_" + name;
      while (labels.Has(renamed) || target.Has(renamed)) renamed = "exported_" + renamed;
      labels.Set(renamed, theirs);
    }
    labels.Set(name, value);
  }
  return labels;
}

Labels Named(Labels labels, std::string_view metric) {
  labels.Set(telemetry::kMetricName, metric);
  return labels;
}

struct Page {
  std::vector<telemetry::LabelledSample> samples;
  std::string error;  // "" where the scrape went well.
};

Page ReadReply(const Result<HttpClientReply>& reply, const Labels& target, std::int64_t begin_ms) {
  if (!reply) return {{}, reply.error().message};
  if (reply->status != kStatusOk) return {{}, fmt::format("answered {}", reply->status)};
  telemetry::TextReaderOptions options;
  const auto type = reply->headers.find("content-type");
  if (type != reply->headers.end()) options.format = telemetry::FormatOfContentType(type->second);
  options.time_ms = begin_ms;
  options.sample_limit = kScrapeSeriesLimit;
  Result<telemetry::TextPage> page = telemetry::ReadTextPage(reply->body, options);
  if (!page) return {{}, page.error().message};
  for (telemetry::LabelledSample& sample : page->samples)
    sample.labels = WithTargetLabels(std::move(sample.labels), target);
  return {std::move(page->samples), ""};
}

}  // namespace

struct Scraper::Impl {
  struct Target {
    std::string url;
    Labels labels;
    std::chrono::milliseconds interval{0};
    std::chrono::milliseconds timeout{0};
    std::size_t target = 0;
    std::int64_t next_ns = 0;         // When the next scrape is due, steady clock.
    std::optional<bool> last;         // How the last scrape ended.
    std::unordered_set<Labels> live;  // Series of the last page.
  };

  Impl(TargetBoard& with_board, SampleQueue& with_queue, const Clock& with_clock,
       std::unique_ptr<EventLoop> loop)
      : board(with_board), queue(with_queue), clock(with_clock), thread(std::move(loop)) {}

  void AddTargets(const ScrapeConfig& config);
  void Begin(Target& target);
  void Finish(Target& target, const Result<HttpClientReply>& reply, std::int64_t begin_ms,
              std::int64_t begin_ns);
  static void EndSeries(Target& target, std::int64_t time_ms, SampleBatch& batch);
  void Schedule(Target& target);

  TargetBoard& board;
  SampleQueue& queue;
  const Clock& clock;
  std::vector<std::unique_ptr<Target>> targets;
  std::atomic<bool> stopping{false};
  LoopThread thread;
  HttpClient client;  // Ends first: its callbacks post to the loop.
};

void Scraper::Impl::AddTargets(const ScrapeConfig& config) {
  for (const std::string& address : config.targets) {
    auto target = std::make_unique<Target>();
    const bool has_scheme = address.starts_with("http://") || address.starts_with("https://");
    target->url = fmt::format("{}{}{}", has_scheme ? "" : "http://", address, config.path);
    target->labels = Labels({config.labels.begin(), config.labels.end()});
    target->labels.Set("job", config.job);
    target->labels.Set("instance", has_scheme ? address.substr(address.find("//") + 2) : address);
    target->interval = config.interval;
    target->timeout = config.timeout;
    target->target = board.Add({.kind = TargetKind::kScrape,
                                .pool = config.job,
                                .address = target->url,
                                .labels = target->labels,
                                .last_error = "",
                                .interval = config.interval,
                                .timeout = config.timeout});
    targets.push_back(std::move(target));
  }
}

void Scraper::Impl::Begin(Target& target) {
  HttpClientRequest request;
  request.url = target.url;
  request.headers.emplace_back("Accept", kAccept);
  request.timeout = target.timeout;
  request.body_limit_bytes = kScrapeBodyLimitBytes;
  const std::int64_t begin_ms = clock.NowMs();
  const std::int64_t begin_ns = clock.SteadyNs();
  client.Send(std::move(request),
              [this, &target, begin_ms, begin_ns](Result<HttpClientReply> reply) {
                if (stopping) return;
                thread.loop().Post([this, &target, begin_ms, begin_ns, reply = std::move(reply)] {
                  Finish(target, reply, begin_ms, begin_ns);
                });
              });
}

void Scraper::Impl::EndSeries(Target& target, std::int64_t time_ms, SampleBatch& batch) {
  std::unordered_set<Labels> now;
  now.reserve(batch.samples.size());
  for (const telemetry::LabelledSample& sample : batch.samples) now.insert(sample.labels);
  for (const Labels& labels : target.live) {
    if (!now.contains(labels))
      batch.samples.push_back({labels, {time_ms, telemetry::StaleMarker()}});
  }
  target.live = std::move(now);
}

void Scraper::Impl::Finish(Target& target, const Result<HttpClientReply>& reply,
                           std::int64_t begin_ms, std::int64_t begin_ns) {
  const std::int64_t now_ns = clock.SteadyNs();
  const std::chrono::nanoseconds took(now_ns - begin_ns);
  Page page = ReadReply(reply, target.labels, begin_ms);
  const bool up = page.error.empty();
  const double scraped = static_cast<double>(page.samples.size());
  board.Looked(target.target, page.error, begin_ms, took);

  SampleBatch batch;
  batch.samples = std::move(page.samples);
  EndSeries(target, begin_ms, batch);
  batch.samples.push_back({Named(target.labels, "up"), {begin_ms, up ? 1.0 : 0.0}});
  batch.samples.push_back({Named(target.labels, "scrape_duration_seconds"),
                           {begin_ms, std::chrono::duration<double>(took).count()}});
  batch.samples.push_back({Named(target.labels, "scrape_samples_scraped"), {begin_ms, scraped}});
  if (target.last != up) batch.event_ns = now_ns;
  if (!target.last) batch.saved = [&to = board, index = target.target] { to.Arrived(index); };
  target.last = up;
  queue.Push(std::move(batch));
  Schedule(target);
}

void Scraper::Impl::Schedule(Target& target) {
  const std::int64_t interval_ns = std::chrono::nanoseconds(target.interval).count();
  const std::int64_t now_ns = clock.SteadyNs();
  target.next_ns += interval_ns;
  // After a pause of the whole machine the missed scrapes are not made up for.
  if (target.next_ns < now_ns) target.next_ns = now_ns + interval_ns;
  thread.loop().RunAfter(std::chrono::nanoseconds(target.next_ns - now_ns),
                         [this, &target] { Begin(target); });
}

Scraper::Scraper(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Scraper::~Scraper() {
  impl_->stopping = true;
  impl_->thread.Stop();
}

Result<std::unique_ptr<Scraper>> Scraper::Create(const std::vector<ScrapeConfig>& scrapes,
                                                 TargetBoard& board, SampleQueue& queue,
                                                 const Clock& clock) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) return Forward(loop.error());
  auto impl = std::make_unique<Impl>(board, queue, clock, std::move(*loop));
  for (const ScrapeConfig& config : scrapes) impl->AddTargets(config);
  impl->thread.loop().Post([impl = impl.get()] {
    for (const auto& target : impl->targets) {
      target->next_ns = impl->clock.SteadyNs();
      impl->Begin(*target);
    }
  });
  impl->thread.Start();
  return std::unique_ptr<Scraper>(new Scraper(std::move(impl)));
}

}  // namespace atalaya::alertd
