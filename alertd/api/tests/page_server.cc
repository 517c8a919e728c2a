// Serves the API and the page over an invented hour of one machine, with a silent host, a watcher
// that was off, alerts and notices: what the browser test looks at. Ends with its standard input.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "alertd/api/api.h"
#include "base/log.h"

namespace atalaya::alertd {
namespace {

using telemetry::LabelledSample;
using telemetry::Labels;

constexpr char kInstance[] = "127.0.0.1:9100";
constexpr std::int64_t kStepMs = 5000;
constexpr int kSteps = 760;  // A little more than the hour that the page shows.

// The real clock, turned back while the past is written.
class ShiftedClock final : public Clock {
 public:
  std::int64_t NowMs() const override { return SystemClock().NowMs() - shift_ms; }
  std::int64_t SteadyNs() const override { return SystemClock().SteadyNs(); }
  std::atomic<std::int64_t> shift_ms{0};
};

class Past {
 public:
  explicit Past(std::int64_t time_ms) : time_ms_(time_ms) {}

  void Put(const char* name, std::vector<Labels::Pair> labels, double value) {
    labels.emplace_back("__name__", name);
    labels.emplace_back("instance", kInstance);
    labels.emplace_back("job", "node");
    samples_.push_back({Labels(std::move(labels)), {time_ms_, value}});
  }
  const std::vector<LabelledSample>& samples() const { return samples_; }

 private:
  std::int64_t time_ms_;
  std::vector<LabelledSample> samples_;
};

std::vector<LabelledSample> OneStep(std::int64_t time_ms, int step, double& idle_seconds) {
  const double busy =
      0.2 + 0.12 * std::sin(step / 25.0) + 0.1 * std::sin(step / 3.0) + (step % 97 < 4 ? 0.45 : 0);
  idle_seconds += 5 * (1 - busy);
  Past past(time_ms);
  past.Put("up", {}, 1);
  past.Put("node_uname_info", {{"nodename", "tower"}}, 1);
  past.Put("node_cpu_seconds_total", {{"cpu", "0"}, {"mode", "idle"}}, idle_seconds);
  past.Put("node_cpu_seconds_total", {{"cpu", "1"}, {"mode", "idle"}}, idle_seconds * 0.99);
  past.Put("node_memory_MemTotal_bytes", {}, 16.0 * (1 << 30));
  past.Put("node_memory_MemAvailable_bytes", {}, 9.7 * (1 << 30));
  past.Put("node_load1", {}, 0.42);
  past.Put("node_boot_time_seconds", {}, static_cast<double>(time_ms / 1000 - 7 * 86'400 - 4000));
  past.Put("node_hwmon_temp_celsius", {{"chip", "cpu"}}, 54);
  past.Put("node_filesystem_size_bytes", {{"mountpoint", "/"}, {"fstype", "ext4"}}, 2e11);
  past.Put("node_filesystem_avail_bytes", {{"mountpoint", "/"}, {"fstype", "ext4"}}, 9e10);
  past.Put("node_filesystem_size_bytes", {{"mountpoint", "/srv"}, {"fstype", "xfs"}}, 4e12);
  past.Put("node_filesystem_avail_bytes", {{"mountpoint", "/srv"}, {"fstype", "xfs"}}, 1.2e11);
  past.Put("cloud_server_up", {{"server", "cloud_server"}}, 1);
  past.Put("cloud_server_state", {{"server", "cloud_server"}, {"state", "up"}}, 1);
  past.Put("cloud_server_connections", {{"server", "cloud_server"}}, 1204);
  past.Put("cloud_server_queue_packets", {{"server", "cloud_server"}}, 17);
  past.Put("cloud_server_process_resident_memory_bytes", {{"server", "cloud_server"}}, 48e6);
  past.Put("cloud_server_process_cpu_seconds_total", {{"server", "cloud_server"}}, step * 0.6);
  past.Put("cloud_server_uptime_seconds", {{"server", "cloud_server"}}, step * 5.0 + 9000);
  past.Put("cloud_server_packets_received_total", {{"server", "cloud_server"}, {"type", "PUBLISH"}},
           step * 61'000.0);
  past.Put("cloud_server_packets_sent_total", {{"server", "cloud_server"}, {"type", "PUBLISH"}},
           step * 12.0);
  return past.samples();
}

Alert MakeAlert(const char* name, const char* severity, std::string summary, AlertState state,
                std::int64_t since_ms) {
  Alert alert;
  alert.labels = Labels({{"alertname", name}, {"severity", severity}, {"instance", kInstance}});
  alert.annotations = {{"summary", std::move(summary)}};
  alert.state = state;
  alert.active_since_ms = since_ms;
  return alert;
}

std::shared_ptr<const RulesSnapshot> Alerts() {
  const std::int64_t now_ms = SystemClock().NowMs() / 60'000 * 60'000;
  RulesSnapshot snapshot;
  RuleStatus rule;
  rule.file = "rules/test.toml";
  rule.alerts = {MakeAlert("DiskSpaceLow", "warning", "/srv has 3 % left on tower",
                           AlertState::kFiring, now_ms - 840'000),
                 MakeAlert("Hostile", "info", "<img src=x onerror=alert(1)> & \"quotes\"",
                           AlertState::kPending, now_ms - 60'000)};
  snapshot.rules = {rule};
  return std::make_shared<const RulesSnapshot>(snapshot);
}

OutboxRow MakeNotice(std::int64_t id, OutboxState state, const char* status, std::string summary) {
  OutboxRow row;
  row.id = id;
  row.receiver = id % 2 == 0 ? "ops-webhook" : "mail";
  row.target = id % 2 == 0 ? "" : "night-watch@example.org";
  row.status = status;
  row.state = state;
  row.summary = std::move(summary);
  row.attempts = state == OutboxState::kWaiting ? 3 : 1;
  row.last_error = state == OutboxState::kWaiting ? "connection refused" : "";
  row.created_ms = SystemClock().NowMs() / 60'000 * 60'000 - (10 - id) * 300'000;
  row.finished_ms = state == OutboxState::kWaiting ? 0 : row.created_ms + 40;
  return row;
}

Result<std::vector<OutboxRow>> Notices(const OutboxQuery&) {
  return std::vector<OutboxRow>{
      MakeNotice(4, OutboxState::kWaiting, "firing", "DiskSpaceLow: /srv has 3 % left on tower"),
      MakeNotice(3, OutboxState::kSent, "firing", "DiskSpaceLow: /srv has 3 % left on tower"),
      MakeNotice(2, OutboxState::kSent, "resolved", "ServerDown: cloud_server runs again"),
      MakeNotice(1, OutboxState::kFailed, "firing", "ServerDown: cloud_server was killed")};
}

// An hour: the host is silent for four minutes, and later the watcher is off for eight.
Result<std::unique_ptr<history::Store>> WriteHour(const history::StoreOptions& options,
                                                  ShiftedClock& clock) {
  auto store = history::Store::Open(options);
  double idle_seconds = 5000;
  for (int step = 0; store && step < kSteps; ++step) {
    clock.shift_ms = (kSteps - 1 - step) * kStepMs;
    if (step >= 200 && step < 248) continue;
    if (step == 430) store->reset();
    if (step >= 430 && step < 526) continue;
    if (step == 526) store = history::Store::Open(options);
    if (!store) break;
    const std::int64_t time_ms = clock.NowMs() / kStepMs * kStepMs;
    Status done = (*store)->Append(OneStep(time_ms, step, idle_seconds));
    if (!done) return Forward(done.error());
  }
  clock.shift_ms = 0;
  return store;
}

int Serve(const std::string& folder) {
  ShiftedClock clock;
  clock.shift_ms = (kSteps - 1) * kStepMs;
  history::StoreOptions options;
  options.path = folder + "/history.db";
  options.clock = &clock;
  auto store = WriteHour(options, clock);
  if (!store) {
    LogError("{}", store.error().message);
    return 1;
  }
  const promql::Engine engine(**store);
  ApiOptions api_options;
  api_options.store = store->get();
  api_options.engine = &engine;
  api_options.started_ms = SystemClock().NowMs() - 970'000;
  api_options.rules = Alerts;
  api_options.notices = Notices;
  Api api(api_options);
  HttpServerOptions http;
  http.listen = {{"127.0.0.1", 0}};
  auto server =
      HttpServer::Start(http, [&api](const HttpRequest& request) { return api.Handle(request); });
  if (!server) {
    LogError("{}", server.error().message);
    return 1;
  }
  std::printf("ready page_server http=%s\n", (*server)->addresses()[0].ToString().c_str());
  std::fflush(stdout);
  while (std::cin.get() != EOF) {
  }
  return 0;
}

}  // namespace
}  // namespace atalaya::alertd

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  atalaya::InitLog("page_server", atalaya::LogLevel::kWarning);
  return atalaya::alertd::Serve(argv[1]);
}
