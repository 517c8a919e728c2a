// /api/atalaya/status: what the page's overview shows, read from the history by queries that anyone
// could ask.

#include <map>

#include "alertd/api/answer.h"
#include "alertd/api/handlers.h"
#include "base/version.h"
#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

using telemetry::LabelledSample;
using telemetry::Matcher;

// What was seen within this time is listed, though it may be silent now.
constexpr std::int64_t kListedMs = history::kDayMs;

// File systems that hold no data of their own are left out, as node_exporter and the `disk` rule
// do.
constexpr char kDiskFilter[] =
    R"({fstype!~"tmpfs|devtmpfs|ramfs|overlay|squashfs|iso9660|rootfs|autofs|fuse.*|nsfs"})";

// Asks questions of the history at one time. A question that fails (a limit, a stop) has no answer,
// and its cells stay empty.
class Questions {
 public:
  explicit Questions(const ApiContext& context)
      : context_(context), now_ms_(context.options.clock->NowMs()) {}

  std::vector<LabelledSample> Vector(std::string_view query) const {
    const auto expr = promql::Parse(query);
    if (!expr) return {};
    auto result = context_.options.engine->EvaluateInstant(
        *expr, now_ms_, {.lookback_ms = {}, .timeout = {}, .cancelled = context_.cancelled});
    if (!result) return {};
    auto* vector = std::get_if<std::vector<LabelledSample>>(&result->value);
    return vector == nullptr ? std::vector<LabelledSample>() : std::move(*vector);
  }

  // The value for each value of `label`.
  std::map<std::string, double, std::less<>> By(std::string_view label,
                                                std::string_view query) const {
    std::map<std::string, double, std::less<>> values;
    for (const LabelledSample& sample : Vector(query)) {
      values.emplace(sample.labels.Get(label), sample.sample.value);
    }
    return values;
  }

  // The text of `wanted` for each value of `label`.
  std::map<std::string, std::string, std::less<>> TextBy(std::string_view label,
                                                         std::string_view wanted,
                                                         std::string_view query) const {
    std::map<std::string, std::string, std::less<>> texts;
    for (const LabelledSample& sample : Vector(query)) {
      texts.emplace(sample.labels.Get(label), sample.labels.Get(wanted));
    }
    return texts;
  }

  std::vector<std::string> Seen(std::string_view label, std::string_view metric) const {
    const history::Store::Selectors selectors = {
        {{Matcher::Kind::kEqual, std::string(telemetry::kMetricName), std::string(metric)}}};
    return context_.options.store->LabelValues(label, selectors, now_ms_ - kListedMs,
                                               now_ms_ + history::kMaxAheadMs);
  }

 private:
  const ApiContext& context_;
  const std::int64_t now_ms_;
};

using Values = std::map<std::string, double, std::less<>>;

// null where there is no figure.
void WriteFigure(JsonWriter& json, std::string_view key, const Values& values,
                 std::string_view of) {
  const auto at = values.find(of);
  json.Key(key);
  if (at == values.end()) {
    json.Null();
  } else {
    json.Number(at->second);
  }
}

struct Disk {
  std::string mount;
  double size_bytes = 0;
  double free_bytes = 0;
};

std::map<std::string, std::vector<Disk>, std::less<>> Disks(const Questions& questions) {
  std::map<std::pair<std::string, std::string>, double> free;
  for (const auto& [labels, sample] :
       questions.Vector(std::string("node_filesystem_avail_bytes") + kDiskFilter)) {
    free[{std::string(labels.Get("instance")), std::string(labels.Get("mountpoint"))}] =
        sample.value;
  }
  std::map<std::string, std::vector<Disk>, std::less<>> disks;
  for (const auto& [labels, sample] :
       questions.Vector(std::string("node_filesystem_size_bytes") + kDiskFilter)) {
    const std::string instance(labels.Get("instance"));
    const std::string mount(labels.Get("mountpoint"));
    const auto at = free.find({instance, mount});
    if (at != free.end()) disks[instance].push_back({mount, sample.value, at->second});
  }
  return disks;
}

void WriteDisks(JsonWriter& json, const std::vector<Disk>& disks) {
  json.Key("disks").BeginArray();
  for (const Disk& disk : disks) {
    json.BeginObject().Field("mount", disk.mount).Key("sizeBytes").Number(disk.size_bytes);
    json.Key("freeBytes").Number(disk.free_bytes).EndObject();
  }
  json.EndArray();
}

std::string_view UpName(const Values& up, std::string_view instance) {
  const auto at = up.find(instance);
  if (at == up.end()) return "unknown";
  return at->second == 1 ? "up" : "down";
}

// The mean over what was measured of the last minute; rate() would stretch the first two samples
// over all of it, and a host just found would look busy.
constexpr char kCpuPercent[] =
    "100 - 100 * avg by (instance) "
    "(avg_over_time(irate(node_cpu_seconds_total{mode=\"idle\"}[30s])[1m:5s]))";

// Of the network, but for the machine's own loop.
constexpr char kPacketsIn[] =
    "sum by (instance) (irate(node_network_receive_packets_total{device!=\"lo\"}[30s]))";
constexpr char kPacketsOut[] =
    "sum by (instance) (irate(node_network_transmit_packets_total{device!=\"lo\"}[30s]))";

void WriteHosts(JsonWriter& json, const Questions& questions) {
  const Values up = questions.By("instance", "min by (instance) (up)");
  const Values total = questions.By("instance", "node_memory_MemTotal_bytes");
  const Values available = questions.By("instance", "node_memory_MemAvailable_bytes");
  const Values cpu = questions.By("instance", kCpuPercent);
  const Values cores =
      questions.By("instance", R"(count by (instance) (node_cpu_seconds_total{mode="idle"}))");
  const Values load = questions.By("instance", "node_load1");
  const Values uptime = questions.By("instance", "time() - node_boot_time_seconds");
  const Values temperature =
      questions.By("instance", "max by (instance) (node_hwmon_temp_celsius)");
  const Values received = questions.By("instance", kPacketsIn);
  const Values sent = questions.By("instance", kPacketsOut);
  const auto names =
      questions.TextBy("instance", "nodename", "last_over_time(node_uname_info[1d])");
  const auto disks = Disks(questions);
  json.Key("hosts").BeginArray();
  for (const std::string& instance : questions.Seen("instance", "node_memory_MemTotal_bytes")) {
    const auto name = names.find(instance);
    json.BeginObject().Field("instance", instance);
    json.Field("name", name == names.end() ? instance : name->second);
    json.Field("state", UpName(up, instance));
    WriteFigure(json, "memoryTotalBytes", total, instance);
    WriteFigure(json, "memoryAvailableBytes", available, instance);
    WriteFigure(json, "cpuPercent", cpu, instance);
    WriteFigure(json, "cores", cores, instance);
    WriteFigure(json, "load1", load, instance);
    WriteFigure(json, "uptimeSeconds", uptime, instance);
    WriteFigure(json, "temperatureCelsius", temperature, instance);
    WriteFigure(json, "packetsInPerSecond", received, instance);
    WriteFigure(json, "packetsOutPerSecond", sent, instance);
    const auto own = disks.find(instance);
    WriteDisks(json, own == disks.end() ? std::vector<Disk>() : own->second);
    json.EndObject();
  }
  json.EndArray();
}

void WriteServers(JsonWriter& json, const Questions& questions) {
  const auto state = questions.TextBy("server", "state", "cloud_server_state == 1");
  const Values cpu =
      questions.By("server", "100 * rate(cloud_server_process_cpu_seconds_total[1m])");
  const Values memory = questions.By("server", "cloud_server_process_resident_memory_bytes");
  const Values uptime = questions.By("server", "cloud_server_uptime_seconds");
  const Values connections = questions.By("server", "cloud_server_connections");
  const Values received =
      questions.By("server", "sum by (server) (rate(cloud_server_packets_received_total[1m]))");
  const Values sent =
      questions.By("server", "sum by (server) (rate(cloud_server_packets_sent_total[1m]))");
  const Values queued = questions.By("server", "sum by (server) (cloud_server_queue_packets)");
  const Values journal = questions.By("server", "cloud_server_journal_file_bytes");
  json.Key("servers").BeginArray();
  for (const std::string& server : questions.Seen("server", "cloud_server_up")) {
    const auto known = state.find(server);
    json.BeginObject().Field("name", server);
    json.Field("state", known == state.end() ? "unknown" : known->second);
    WriteFigure(json, "cpuPercent", cpu, server);
    WriteFigure(json, "memoryBytes", memory, server);
    WriteFigure(json, "uptimeSeconds", uptime, server);
    WriteFigure(json, "connections", connections, server);
    WriteFigure(json, "packetsInPerSecond", received, server);
    WriteFigure(json, "packetsOutPerSecond", sent, server);
    WriteFigure(json, "queuedPackets", queued, server);
    WriteFigure(json, "journalBytes", journal, server);
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

HttpResponse AnswerStatus(const ApiContext& context) {
  const Questions questions(context);
  const history::StoreStats stats = context.options.store->Stats();
  JsonWriter json = BeginSuccess();
  json.BeginObject().Field("version", kVersion);
  json.Key("startedMs").Integer(context.options.started_ms);
  json.Key("history").BeginObject().Key("saving").Bool(stats.saving);
  json.Key("series").Integer(stats.series).EndObject();
  WriteHosts(json, questions);
  WriteServers(json, questions);
  json.EndObject();
  return EndSuccess(std::move(json));
}

}  // namespace atalaya::alertd
