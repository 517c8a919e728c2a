// Serves the API and the page over an invented past of a few machines, with a silent host, a
// watcher that was off, alerts, silences and notices: what the browser test looks at. Ends with its
// standard input.

#include <algorithm>
#include <array>
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

constexpr char kToken[] = "token-of-the-page-server";
constexpr char kHostile[] = "<img src=x onerror=alert(1)>";
constexpr std::int64_t kStepMs = 5000;
constexpr int kSteps = 760;  // A little more than the hour that the page shows.
constexpr double kGiB = 1 << 30;

// The real clock, turned back while the past is written.
class ShiftedClock final : public Clock {
 public:
  std::int64_t NowMs() const override { return SystemClock().NowMs() - shift_ms; }
  std::int64_t SteadyNs() const override { return SystemClock().SteadyNs(); }
  std::atomic<std::int64_t> shift_ms{0};
};

struct Machine {
  const char* instance;
  const char* name;
  int cores;
  double memory_gib;
  double busy;  // Share of the processors, on average.
};

constexpr Machine kMachines[] = {{"127.0.0.1:9100", "tower", 2, 16, 0.22},
                                 {"10.20.0.7:9100", "vault", 8, 64, 0.55},
                                 {"10.20.0.9:9100", kHostile, 4, 8, 0.08}};
constexpr int kVaultEnds = kSteps - 110;  // From there on it does not answer.

class Past {
 public:
  explicit Past(std::int64_t time_ms) : time_ms_(time_ms) {}

  void Of(const char* instance) { instance_ = instance; }
  void Put(const char* name, std::vector<Labels::Pair> labels, double value) {
    labels.emplace_back("__name__", name);
    labels.emplace_back("instance", instance_);
    labels.emplace_back("job", "node");
    samples_.push_back({Labels(std::move(labels)), {time_ms_, value}});
  }
  void PutDisk(const char* mount, const char* type, double size, double free) {
    Put("node_filesystem_size_bytes", {{"mountpoint", mount}, {"fstype", type}}, size);
    Put("node_filesystem_avail_bytes", {{"mountpoint", mount}, {"fstype", type}}, free);
  }
  const std::vector<LabelledSample>& samples() const { return samples_; }

 private:
  std::int64_t time_ms_;
  const char* instance_ = "";
  std::vector<LabelledSample> samples_;
};

double Wave(int step, double period, double phase = 0) { return std::sin(step / period + phase); }

// Counters, each a sum over the steps so far.
struct Sums {
  double idle = 5000, busy = 1000, received = 1e9, sent = 4e8, packets = 1e6, read = 1e9,
         written = 2e9;
};

void PutMachine(Past& past, const Machine& machine, std::int64_t time_ms, int step, Sums& sums) {
  past.Of(machine.instance);
  const bool silent = machine.memory_gib == 64 && step >= kVaultEnds;
  past.Put("up", {}, silent ? 0 : 1);
  const double busy = std::clamp(machine.busy + 0.12 * Wave(step, 25, machine.busy * 9) +
                                     0.06 * Wave(step, 3) + (step % 97 < 4 ? 0.4 : 0),
                                 0.01, 0.98);
  sums.idle += 5 * (1 - busy);
  sums.busy += 5 * busy;
  sums.received += 5 * (3e5 + 2.4e5 * Wave(step, 40));
  sums.sent += 5 * (1.2e5 + 9e4 * Wave(step, 31));
  sums.packets += 5 * (420 + 300 * Wave(step, 40));
  sums.read += 5 * (8e4 + 6e4 * Wave(step, 17)) + (step % 120 < 3 ? 2e7 : 0);
  sums.written += 5 * (3e5 + 2e5 * Wave(step, 23));
  if (silent) return;
  past.Put("node_uname_info", {{"nodename", machine.name}}, 1);
  for (int core = 0; core < machine.cores; ++core) {
    const std::string cpu = std::to_string(core);
    past.Put("node_cpu_seconds_total", {{"cpu", cpu}, {"mode", "idle"}}, sums.idle);
    past.Put("node_cpu_seconds_total", {{"cpu", cpu}, {"mode", "user"}}, sums.busy);
  }
  const double total = machine.memory_gib * kGiB;
  past.Put("node_memory_MemTotal_bytes", {}, total);
  past.Put("node_memory_MemAvailable_bytes", {}, total * (0.6 - 0.03 * Wave(step, 60)));
  past.Put("node_load1", {}, machine.cores * (busy + 0.05));
  past.Put("node_load5", {}, machine.cores * machine.busy);
  past.Put("node_load15", {}, machine.cores * machine.busy * 0.9);
  past.Put("node_boot_time_seconds", {}, static_cast<double>(time_ms / 1000 - 7 * 86'400 - 4000));
  past.Put("node_hwmon_temp_celsius", {{"chip", "cpu"}}, 54 + 6 * Wave(step, 45));
  past.PutDisk("/", "ext4", 2e11, 9e10);
  past.PutDisk("/srv", "xfs", 4e12, 1.2e11 - step * 4e6);
  const std::vector<Labels::Pair> network = {{"device", "eth0"}};
  past.Put("node_network_receive_bytes_total", network, sums.received);
  past.Put("node_network_transmit_bytes_total", network, sums.sent);
  past.Put("node_network_receive_packets_total", network, sums.packets);
  past.Put("node_network_transmit_packets_total", network, sums.packets * 0.7);
  past.Put("node_disk_read_bytes_total", {{"device", "sda"}}, sums.read);
  past.Put("node_disk_written_bytes_total", {{"device", "sda"}}, sums.written);
}

void PutServer(Past& past, int step, double& received) {
  past.Of(kMachines[0].instance);
  const Labels::Pair server = {"server", "cloud_server"};
  received += 5 * (12'200 + 5'000 * Wave(step, 33) + 800 * Wave(step, 4));
  past.Put("cloud_server_up", {server}, 1);
  past.Put("cloud_server_state", {server, {"state", "up"}}, 1);
  past.Put("cloud_server_connections", {server},
           step + 1 == kSteps ? 1204 : 1200 + 90 * Wave(step, 50));
  past.Put("cloud_server_queue_packets", {server}, std::floor(17 + 9 * Wave(step, 12)));
  past.Put("cloud_server_process_resident_memory_bytes", {server}, 48e6 + 2e6 * Wave(step, 80));
  past.Put("cloud_server_process_cpu_seconds_total", {server}, step * 0.6);
  past.Put("cloud_server_uptime_seconds", {server}, step * 5.0 + 9000);
  past.Put("cloud_server_journal_file_bytes", {server}, 6.7e7);
  past.Put("cloud_server_publishes_received_total", {server}, received);
  past.Put("cloud_server_publishes_delivered_total", {server}, received * 0.8);
  past.Put("cloud_server_packets_received_total", {server, {"type", "PUBLISH"}}, received);
  past.Put("cloud_server_packets_sent_total", {server, {"type", "PUBLISH"}}, received * 0.8);
  past.Put("cloud_server_received_bytes_total", {server}, received * 90);
  past.Put("cloud_server_sent_bytes_total", {server}, received * 72);
}

// An hour: every machine is silent for four minutes, and later the watcher is off for eight.
Result<std::unique_ptr<history::Store>> WriteHour(const history::StoreOptions& options,
                                                  ShiftedClock& clock) {
  auto store = history::Store::Open(options);
  Sums sums[std::size(kMachines)];
  double received = 0;
  for (int step = 0; store && step < kSteps; ++step) {
    clock.shift_ms = (kSteps - 1 - step) * kStepMs;
    if (step == 430) store->reset();
    if (step == 526) store = history::Store::Open(options);
    if (!store) break;
    const std::int64_t time_ms = clock.NowMs() / kStepMs * kStepMs;
    Past past(time_ms);
    for (std::size_t i = 0; i < std::size(kMachines); ++i)
      PutMachine(past, kMachines[i], time_ms, step, sums[i]);
    PutServer(past, step, received);
    const bool left_out = (step >= 200 && step < 248) || (step >= 430 && step < 526);
    if (left_out) continue;
    if (Status done = (*store)->Append(past.samples()); !done) return Forward(done.error());
  }
  clock.shift_ms = 0;
  return store;
}

Alert MakeAlert(const char* name, const char* severity, std::string summary, AlertState state,
                std::int64_t since_ms) {
  Alert alert;
  alert.labels = Labels({{"alertname", name},
                         {"severity", severity},
                         {"instance", kMachines[0].instance},
                         {"mountpoint", "/srv"}});
  alert.annotations = {{"summary", std::move(summary)},
                       {"runbook", "docs/RUNBOOK.md#diskspacelow"}};
  alert.state = state;
  alert.active_since_ms = alert.fired_at_ms = since_ms;
  alert.value = 2.93;
  return alert;
}

RuleStatus MakeRule(const char* name, const char* kind, const char* query,
                    std::vector<Alert> alerts = {}) {
  RuleStatus rule;
  rule.name = name;
  rule.kind = kind;
  rule.query = query;
  rule.file = rule.group = "rules/host.toml";
  rule.for_duration = std::chrono::minutes(5);
  rule.labels = {{"severity", "warning"}};
  rule.evaluated = true;
  rule.last_evaluation_ms = SystemClock().NowMs();
  for (const Alert& alert : alerts) rule.state = std::max(rule.state, alert.state);
  rule.alerts = std::move(alerts);
  return rule;
}

std::shared_ptr<const RulesSnapshot> Rules() {
  const std::int64_t now_ms = SystemClock().NowMs() / 60'000 * 60'000;
  RulesSnapshot snapshot;
  snapshot.evaluated_at_ms = now_ms;
  snapshot.rules = {
      MakeRule("DiskSpaceLow", "disk",
               "100 * node_filesystem_avail_bytes / node_filesystem_size_bytes < 15",
               {MakeAlert("DiskSpaceLow", "warning", "/srv has 3 % left on tower",
                          AlertState::kFiring, now_ms - 840'000)}),
      MakeRule("MemoryLow", "memory",
               "100 * node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 5"),
      MakeRule("ExporterDown", "down", "up == 0"),
      MakeRule("Hostile", "expr", "vector(1) > 0",
               {MakeAlert("Hostile", "info", std::string(kHostile) + " & \"quotes\"",
                          AlertState::kPending, now_ms - 60'000)}),
      MakeRule("instance:load:max", "record", "max by (instance) (node_load1)")};
  snapshot.rules.back().is_recording = true;
  snapshot.rules[2].last_error = "many-to-many matching not allowed";
  return std::make_shared<const RulesSnapshot>(snapshot);
}

OutboxRow MakeNotice(std::int64_t id, OutboxState state, const char* status, std::string summary) {
  OutboxRow row;
  row.id = id;
  row.notice_id = "msg_" + std::to_string(id);
  row.receiver = id % 2 == 0 ? "ops-webhook" : "mail";
  row.kind = id % 2 == 0 ? "webhook" : "email";
  row.target = id % 2 == 0 ? "" : "night-watch@example.org";
  row.status = status;
  row.state = state;
  row.summary = std::move(summary);
  row.attempts = state == OutboxState::kWaiting ? 3 : 1;
  row.last_error = state == OutboxState::kWaiting ? "connection refused"
                   : state == OutboxState::kFailed
                       ? "550 5.1.1 <night-watch@example.org>: no such mailbox here"
                       : "";
  row.created_ms = SystemClock().NowMs() / 60'000 * 60'000 - (10 - id) * 300'000;
  row.finished_ms = state == OutboxState::kWaiting ? 0 : row.created_ms + 40;
  row.next_attempt_ms = SystemClock().NowMs() / 60'000 * 60'000 + 90'000;
  return row;
}

Result<std::vector<OutboxRow>> Notices(const OutboxQuery& query) {
  std::vector<OutboxRow> rows = {
      MakeNotice(5, OutboxState::kWaiting, "firing", std::string("Hostile: ") + kHostile),
      MakeNotice(4, OutboxState::kWaiting, "firing", "DiskSpaceLow: /srv has 3 % left on tower"),
      MakeNotice(3, OutboxState::kSent, "firing", "DiskSpaceLow: /srv has 3 % left on tower"),
      MakeNotice(2, OutboxState::kSent, "resolved", "ServerDown: cloud_server runs again"),
      MakeNotice(1, OutboxState::kFailed, "firing", "ServerDown: cloud_server was killed")};
  std::erase_if(rows, [&](const OutboxRow& row) {
    return (query.state && row.state != *query.state) ||
           row.summary.find(query.text) == std::string::npos ||
           (query.before_id != 0 && row.id >= query.before_id);
  });
  return rows;
}

std::vector<TargetStatus> Targets() {
  std::vector<TargetStatus> targets;
  for (const Machine& machine : kMachines) {
    TargetStatus target;
    target.pool = "node";
    target.labels = Labels({{"instance", machine.instance}, {"job", "node"}});
    target.interval = std::chrono::milliseconds(kStepMs);
    targets.push_back(std::move(target));
  }
  return targets;
}

int EndWith(const Error& error) {
  LogError("{}", error.message);
  return 1;
}

int Serve(const std::string& folder) {
  ShiftedClock clock;
  clock.shift_ms = (kSteps - 1) * kStepMs;
  history::StoreOptions options;
  options.path = folder + "/history.db";
  options.clock = &clock;
  auto store = WriteHour(options, clock);
  if (!store) return EndWith(store.error());
  const std::array<std::string_view, 2> migrations{kSilencesMigration1, kPostedAlertsMigration1};
  auto database = SqliteDatabase::Open(folder + "/state.db", SqliteSync::kFull, migrations);
  if (!database) return EndWith(database.error());
  auto silences = SilenceBook::Open(std::move(*database), SystemClock());
  if (!silences) return EndWith(silences.error());
  auto for_posted = SqliteDatabase::Open(folder + "/state.db", SqliteSync::kFull, migrations);
  if (!for_posted) return EndWith(for_posted.error());
  auto posted = PostedAlerts::Open(std::move(*for_posted), SystemClock());
  if (!posted) return EndWith(posted.error());
  const promql::Engine engine(**store);
  ApiOptions api_options;
  api_options.store = store->get();
  api_options.engine = &engine;
  api_options.token = kToken;
  api_options.started_ms = SystemClock().NowMs() - 970'000;
  api_options.rules = Rules;
  api_options.notices = Notices;
  api_options.targets = Targets;
  api_options.silences = silences->get();
  api_options.posted = posted->get();
  const auto routing = std::make_shared<Routing>();
  routing->receivers.emplace_back().name = "ops-webhook";
  CompleteRouting(*routing, {});
  api_options.routing = [&routing] { return routing; };
  api_options.view = [&](std::vector<Alert> firing) {
    for (Alert& alert : firing) alert.labels.Set("site", "tower");
    return ViewAlerts(*routing, silences->get(), std::move(firing), SystemClock().NowMs());
  };
  Api api(api_options);
  HttpServerOptions http;
  http.listen = {{"127.0.0.1", 0}};
  auto server =
      HttpServer::Start(http, [&api](const HttpRequest& request) { return api.Handle(request); });
  if (!server) return EndWith(server.error());
  std::printf("ready page_server http=%s token=%s\n", (*server)->addresses()[0].ToString().c_str(),
              kToken);
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
