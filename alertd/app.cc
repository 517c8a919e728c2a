#include "alertd/app.h"

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <optional>

#include "alertd/api/api.h"
#include "alertd/metrics.h"
#include "alertd/notices.h"
#include "alertd/pulse.h"
#include "alertd/rules/rule_runner.h"
#include "alertd/rules/selectors.h"
#include "alertd/state_db.h"
#include "alertd/token.h"
#include "base/file.h"
#include "base/http_server.h"
#include "base/log.h"
#include "history/store.h"
#include "promql/engine.h"

namespace atalaya::alertd {
namespace {

// "tower.example" of "https://Tower.example:8443/atalaya"; "" of "".
std::string HostOfUrl(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
  }
  std::string host(url.substr(0, url.find_first_of(":/")));
  for (char& c : host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return host;
}

constexpr int kStatusStarting = 503;
constexpr std::chrono::milliseconds kLongestEvaluation{30'000};  // Beyond it the rules are stuck.
constexpr std::chrono::hours kClientsKnownFor{
    24};  // Of the packet server, after their last sample.

// When the run before this one ended; 0 where there was none.
std::int64_t LookedUntil(const history::Store& store, std::int64_t started_ms) {
  std::int64_t until_ms = 0;
  for (const history::Run& run : store.Runs(0, started_ms)) {
    if (run.start_ms < started_ms) until_ms = std::max(until_ms, run.last_ms);
  }
  return std::min(until_ms, started_ms);
}

Status MakeStorageDir(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return Fail(ErrorCode::kIo, "{}: cannot be created: {}", dir, error.message());
  return {};
}

}  // namespace

// In the order of dependence.
struct App::Impl {
  Impl(std::vector<std::string> files, Config with)
      : config_files(std::move(files)),
        config(std::move(with)),
        state_path(config.storage.dir + "/state.db"),
        notices(state_path, clock, counters, lag) {}
  ~Impl();

  Status OpenStorage();
  Status StartServing();
  Status StartRules();
  Status StartCollecting();
  void StartPulse();
  void StopCollecting();
  bool Settled();
  std::vector<TargetStatus> Targets();
  std::vector<telemetry::FamilyMetadata> Metadata();
  CollectFigures Collected();
  std::string ExternalUrl() const;
  Result<std::vector<OutboxRow>> ListNotices(const OutboxQuery& query);
  HttpResponse Handle(const HttpRequest& request);
  void Metrics(telemetry::TextWriter& page);
  Status Reload();
  Status TakeOver(Config next);

  const Clock& clock = SystemClock();
  const std::vector<std::string> config_files;
  Config config;
  const std::string state_path;
  const std::int64_t started_ms = clock.NowMs();
  ReloadStatus reload;
  NotifyCounters counters;
  NoticeLag lag;

  std::unique_ptr<history::Store> store;
  std::mutex append_mutex;  // The collector and the rules append, each on its own thread.
  std::unique_ptr<promql::Engine> queries;
  std::mutex outbox_mutex;
  std::optional<SqliteDatabase> outbox;  // For the API.
  std::unique_ptr<SilenceBook> silences;
  std::unique_ptr<PostedAlerts> posted;
  Notices notices;
  std::unique_ptr<RuleRunner> rules;
  std::mutex collector_mutex;  // Guards whether there is one; the main thread alone changes that.
  std::unique_ptr<Collector> collector;
  std::mutex pulse_mutex;  // Likewise.
  std::unique_ptr<Pulse> pulse;
  std::unique_ptr<Api> api;
  std::atomic<bool> serving{false};  // All of the above is there.
  std::unique_ptr<HttpServer> server;
};

App::Impl::~Impl() {
  StopCollecting();
  if (api) api->Stop();
  server.reset();
  pulse.reset();
  rules.reset();
}

Status App::Impl::OpenStorage() {
  if (Status made = MakeStorageDir(config.storage.dir); !made) return made;
  if (config.http.token.empty()) {
    Result<std::string> token = ReadOrMakeTokenFile(config.http.token_file);
    if (!token) return Forward(token.error());
    config.http.token = std::move(*token);
  }
  history::StoreOptions options;
  options.path = config.storage.dir + "/history.db";
  options.clock = &clock;
  options.retention_ms = config.history.keep_samples.count();
  options.minute_retention_ms = config.history.keep_minutes.count();
  options.hour_retention_ms = config.history.keep_hours.count();
  options.retention_bytes = config.history.max_bytes;
  options.accept_late_ms = config.history.accept_late.count();
  Result<std::unique_ptr<history::Store>> opened = history::Store::Open(options);
  if (!opened) return Forward(opened.error());
  store = std::move(*opened);
  queries = std::make_unique<promql::Engine>(*store);
  Result<SqliteDatabase> database = OpenStateDb(state_path);
  if (!database) return Forward(database.error());
  outbox = std::move(*database);
  Result<SqliteDatabase> for_silences = OpenStateDb(state_path);
  if (!for_silences) return Forward(for_silences.error());
  Result<std::unique_ptr<SilenceBook>> book = SilenceBook::Open(std::move(*for_silences), clock);
  if (!book) return Forward(book.error());
  silences = std::move(*book);
  Result<SqliteDatabase> for_posted = OpenStateDb(state_path);
  if (!for_posted) return Forward(for_posted.error());
  Result<std::unique_ptr<PostedAlerts>> alerts = PostedAlerts::Open(std::move(*for_posted), clock);
  if (!alerts) return Forward(alerts.error());
  posted = std::move(*alerts);
  notices.SetBooks(*silences, *posted);
  return {};
}

Status App::Impl::StartServing() {
  ApiOptions options;
  options.store = store.get();
  options.engine = queries.get();
  options.clock = &clock;
  options.started_ms = started_ms;
  options.token = config.http.token;
  options.base_path = config.http.base_path;
  if (const std::string host = HostOfUrl(config.http.external_url); !host.empty()) {
    options.allowed_hosts = {host};
  }
  options.targets = [this] { return Targets(); };
  options.metadata = [this] { return Metadata(); };
  options.rules = [this] { return rules->Snapshot(); };
  options.metrics = [this](telemetry::TextWriter& page) { Metrics(page); };
  options.notices = [this](const OutboxQuery& query) { return ListNotices(query); };
  options.silences = silences.get();
  options.view = [this](std::vector<Alert> firing) { return notices.View(std::move(firing)); };
  options.routing = [this] { return notices.Routes(); };
  options.posted = posted.get();
  options.on_posted = [this] { rules->AskWhatIsDue(); };
  options.ready = [this]() -> Status {
    if (rules->Totals().evaluated_at_ms != 0) return {};
    return Fail(ErrorCode::kBusy, "the rules are not evaluated yet");
  };
  api = std::make_unique<Api>(std::move(options));
  HttpServerOptions listening;
  listening.listen = {config.http.listen};
  listening.on_refused = [this](int status) { api->CountRefused(status); };
  Result<std::unique_ptr<HttpServer>> started =
      HttpServer::Start(listening, [this](const HttpRequest& request) { return Handle(request); });
  if (!started) return Forward(started.error());
  server = std::move(*started);
  return {};
}

Status App::Impl::StartRules() {
  if (Status configured = notices.Configure(config, ExternalUrl()); !configured) return configured;
  RuleEngineOptions options;
  options.source = store.get();
  options.clock = &clock;
  options.interval = config.rules.interval;
  options.drill = config.drill;
  options.append = [this](std::span<const telemetry::SeriesSample> samples) {
    const std::lock_guard lock(append_mutex);
    return store->AppendHeld(samples);
  };
  options.on_alerts = [this](SqliteDatabase& database, AlertsNow alerts, std::int64_t now_ms) {
    return notices.Process(database, std::move(alerts), now_ms);
  };
  options.due = [this](std::int64_t now_ms) { return notices.Due(now_ms); };
  options.next_due_ms = [this] { return notices.NextDueMs(); };
  options.on_stored = [this] { notices.Wake(); };
  options.has_series = [this](const std::vector<telemetry::Matcher>& matchers) {
    const std::int64_t now_ms = clock.NowMs();
    const std::int64_t from_ms = now_ms - std::chrono::milliseconds(kSeriesSeenWithin).count();
    return !store->Series({matchers}, from_ms, now_ms).empty();
  };
  options.looked_until_ms = LookedUntil(*store, started_ms);
  Result<SqliteDatabase> database = OpenStateDb(state_path);
  if (!database) return Forward(database.error());
  Result<std::unique_ptr<RuleEngine>> engine =
      RuleEngine::Create(std::move(options), std::move(config.rules.list), std::move(*database));
  if (!engine) return Forward(engine.error());
  rules = std::make_unique<RuleRunner>(std::move(*engine), config.rules.interval,
                                       [this] { return Settled(); });
  return {};
}

Status App::Impl::StartCollecting() {
  CollectorOptions options;
  options.clock = &clock;
  options.append = [this](std::span<const telemetry::SeriesSample> samples) {
    const std::lock_guard lock(append_mutex);
    return store->AppendHeld(samples);
  };
  options.when_durable = [this](std::function<void()> done) {
    store->WhenDurable(std::move(done));
  };
  options.on_event = [this](std::int64_t event_ns) { rules->Wake(event_ns); };
  const std::int64_t now_ms = clock.NowMs();
  options.known_clients = store->LabelValues(
      "client", {{{telemetry::Matcher::Kind::kEqual, "__name__", "cloud_client_up"}}},
      now_ms - std::chrono::milliseconds(kClientsKnownFor).count(), now_ms);
  Result<std::unique_ptr<Collector>> started = Collector::Start(std::move(options), config.collect);
  if (!started) return Forward(started.error());
  const std::lock_guard lock(collector_mutex);
  collector = std::move(*started);
  return {};
}

void App::Impl::StartPulse() {
  PulseOptions options;
  options.heartbeat = config.heartbeat;
  ReadWatchdogEnvironment(options);
  options.evaluated_ms = [this] { return rules->Totals().evaluated_at_ms; };
  options.longest_evaluation = std::max(kLongestEvaluation, 3 * config.rules.interval);
  options.clock = &clock;
  const std::lock_guard lock(pulse_mutex);
  pulse.reset();
  pulse = std::make_unique<Pulse>(std::move(options));
}

void App::Impl::StopCollecting() {
  std::unique_ptr<Collector> ending;
  {
    const std::lock_guard lock(collector_mutex);
    ending = std::move(collector);
  }
}

bool App::Impl::Settled() {
  const std::lock_guard lock(collector_mutex);
  return collector != nullptr && collector->Settled();
}

std::vector<TargetStatus> App::Impl::Targets() {
  const std::lock_guard lock(collector_mutex);
  return collector == nullptr ? std::vector<TargetStatus>() : collector->Targets();
}

std::vector<telemetry::FamilyMetadata> App::Impl::Metadata() {
  const std::lock_guard lock(collector_mutex);
  if (collector == nullptr) return {};
  return collector->Metadata();
}

CollectFigures App::Impl::Collected() {
  const std::lock_guard lock(collector_mutex);
  return collector == nullptr ? CollectFigures() : collector->Figures();
}

std::string App::Impl::ExternalUrl() const {
  return config.http.external_url.empty() ? "http://" + server->addresses().front().ToString()
                                          : config.http.external_url;
}

Result<std::vector<OutboxRow>> App::Impl::ListNotices(const OutboxQuery& query) {
  const std::lock_guard lock(outbox_mutex);
  return ListOutbox(*outbox, query);
}

HttpResponse App::Impl::Handle(const HttpRequest& request) {
  if (serving) return api->Handle(request);
  HttpResponse response;
  response.status = kStatusStarting;
  response.body = "starting\n";
  return response;
}

void App::Impl::Metrics(telemetry::TextWriter& page) {
  MetricsInput input;
  input.started_ms = started_ms;
  input.reload_successful = reload.successful;
  input.reload_success_ms = reload.success_ms;
  input.collect = Collected();
  input.rules = rules->Totals();
  input.receivers = counters.Snapshot();
  input.posted = posted->Figures();
  input.lag = lag.Snapshot();
  const std::lock_guard lock(pulse_mutex);
  if (pulse) input.pulse = pulse->Figures();
  WriteMetrics(page, input);
}

// Reads the configuration again. A faulty one is said and changes nothing; fails only where a part
// could not be started again.
Status App::Impl::Reload() {
  Result<Config> next = LoadConfig(config_files);
  if (next && (next->http.listen != config.http.listen || next->http.token != config.http.token ||
               next->http.base_path != config.http.base_path ||
               next->storage.dir != config.storage.dir || next->history != config.history)) {
    next = Fail(ErrorCode::kInvalid,
                "[http] listen, base_path and token, [storage] dir and [history] need a restart");
  }
  if (!next) {
    reload.successful = false;
    LogError("the old configuration stays: {}", next.error().message);
    return {};
  }
  const std::size_t rule_count = next->rules.list.size();
  if (Status taken = TakeOver(std::move(*next)); !taken) return taken;
  reload.successful = true;
  reload.success_ms = clock.NowMs();
  LogInfo("took over the configuration: {} rules, {} receivers", rule_count,
          config.routing->receivers.size());
  return {};
}

Status App::Impl::TakeOver(Config next) {
  config = std::move(next);
  if (Status configured = notices.Configure(config, ExternalUrl()); !configured) return configured;
  rules->ReplaceRules(std::move(config.rules.list), config.drill, config.rules.interval);
  StartPulse();
  return collector->Reconfigure(config.collect);
}

App::App(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
App::~App() = default;

Result<std::unique_ptr<App>> App::Create(std::vector<std::string> config_files, Config config) {
  RaiseFileLimit();  // Each target keeps its connection.
  auto impl = std::make_unique<Impl>(std::move(config_files), std::move(config));
  if (Status opened = impl->OpenStorage(); !opened) return Forward(opened.error());
  if (Status started = impl->StartServing(); !started) return Forward(started.error());
  if (Status started = impl->StartRules(); !started) return Forward(started.error());
  if (Status started = impl->StartCollecting(); !started) return Forward(started.error());
  impl->StartPulse();
  impl->reload.success_ms = impl->clock.NowMs();
  impl->serving = true;
  return std::unique_ptr<App>(new App(std::move(impl)));
}

Status App::Run(StopSignal& stop) {
  std::printf("ready cloud_alertd http=%s token_file=%s\n",
              impl_->server->addresses().front().ToString().c_str(),
              impl_->config.http.token_file.c_str());
  std::fflush(stdout);
  while (true) {
    const StopSignal::Kind kind = stop.Wait();
    if (kind == StopSignal::Kind::kStop) return {};
    if (kind != StopSignal::Kind::kReload) continue;
    if (Status reloaded = impl_->Reload(); !reloaded) return reloaded;
  }
}

}  // namespace atalaya::alertd
