#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <span>
#include <vector>

#include "base/file.h"
#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/units.h"
#include "telemetry/server_state.h"
#include "telemetry/stats_segment.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::ServerState;
using telemetry::Stat;
using telemetry::StatsSnapshot;
using telemetry::TextWriter;

constexpr std::string_view kFilePrefix = "atalaya-";

// What /proc says of the server's process.
struct ProcessFigures {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double threads = 0;
  std::optional<double> open_fds;  // Only root and the process's own user may look.
  std::optional<double> max_fds;
};

struct Server {
  std::string name;
  std::string labels;  // `server="NAME"`
  ServerState state = ServerState::kAbsent;
  Result<StatsSnapshot> snapshot;
  std::optional<ProcessFigures> process;

  // Figures of a process that is gone would look like those of one that stands still.
  bool HasFigures() const { return snapshot && process; }
};

std::optional<double> CountOpenFds(const fs::path& folder) {
  struct stat status {};
  // Since Linux 6.2 the size is the number; older kernels say 0.
  if (stat(folder.c_str(), &status) == 0 && status.st_size > 0)
    return static_cast<double>(status.st_size);
  DIR* entries = opendir(folder.c_str());
  if (entries == nullptr) return std::nullopt;
  double count = 0;
  while (readdir(entries) != nullptr) ++count;
  closedir(entries);
  return count - 2;  // "." and "..".
}

std::optional<double> ReadMaxFds(const fs::path& limits_file) {
  const std::string limits = ReadFile(limits_file).value_or("");
  constexpr std::string_view kRow = "Max open files";
  const std::size_t at = limits.find(kRow);
  if (at == std::string::npos) return std::nullopt;
  std::string_view line = std::string_view(limits).substr(at + kRow.size());
  return ParseNumber<double>(TakeWord(line));
}

std::optional<ProcessFigures> ReadProcess(const fs::path& procfs, std::int64_t pid) {
  const fs::path folder = procfs / std::to_string(pid);
  const Result<std::string> stat = ReadFile(folder / "stat");
  if (!stat) return std::nullopt;
  const std::size_t command_end = stat->rfind(')');
  if (command_end == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view(*stat).substr(command_end + 1);
  std::array<double, 22> fields{};  // Fields 3 to 24 of proc_pid_stat(5).
  for (double& field : fields) field = ParseNumber<double>(TakeWord(rest)).value_or(0);
  const auto field = [&](std::size_t number) { return fields[number - 3]; };
  ProcessFigures figures;
  figures.cpu_seconds = (field(14) + field(15)) / kTicksPerSecond;
  figures.threads = field(20);
  figures.virtual_bytes = field(23);
  figures.resident_bytes = field(24) * static_cast<double>(sysconf(_SC_PAGESIZE));
  figures.open_fds = CountOpenFds(folder / "fd");
  figures.max_fds = ReadMaxFds(folder / "limits");
  return figures;
}

// A server that has never run has no segment to name it; its file does: "atalaya-NAME.stats".
std::string NameFromPath(const fs::path& path) {
  const std::string stem = path.stem().string();
  return stem.starts_with(kFilePrefix) ? stem.substr(kFilePrefix.size()) : stem;
}

class CloudServer final : public Collector {
 public:
  explicit CloudServer(const CollectorOptions& options)
      : files_(options.stats_files), procfs_(options.procfs), clock_(*options.clock) {}

  Status Collect(TextWriter& out) override {
    const std::int64_t steady_ns = clock_.SteadyNs();
    std::vector<Server> servers;
    for (const fs::path& file : files_) servers.push_back(Look(file, steady_ns));
    WriteState(out, servers);
    WriteLoops(out, servers, steady_ns);
    WriteProcess(out, servers);
    WriteFigures(out, servers);
    for (const Server& server : servers) {
      // No segment is a state; a segment that cannot be read is a fault.
      if (!server.snapshot && server.snapshot.error().code != ErrorCode::kNotFound)
        return Forward(server.snapshot.error());
    }
    return {};
  }

 private:
  Server Look(const fs::path& file, std::int64_t steady_ns) const {
    Server server{.name = "", .labels = "", .snapshot = telemetry::ReadStats(file), .process = {}};
    server.state = telemetry::JudgeState(server.snapshot, procfs_, steady_ns);
    server.name = server.snapshot ? server.snapshot->name : NameFromPath(file);
    server.labels = LabelText("server", server.name).text();
    if (!server.snapshot || server.state == ServerState::kDead) return server;
    const auto identity = telemetry::ReadProcessIdentity(procfs_, server.snapshot->pid);
    if (identity && identity->start_ticks == server.snapshot->process_start_ticks)
      server.process = ReadProcess(procfs_, server.snapshot->pid);
    return server;
  }

  void WriteState(TextWriter& out, const std::vector<Server>& servers) const {
    out.Family("cloud_server_up", MetricType::kGauge,
               "Whether the server runs and its loops turn.");
    for (const Server& server : servers)
      out.Sample(server.labels, server.state == ServerState::kUp ? 1 : 0);
    out.Family("cloud_server_state", MetricType::kGauge,
               "1 for the state that the server is in, 0 for the others.");
    for (const Server& server : servers) {
      for (const ServerState state : telemetry::kServerStates) {
        LabelText labels("server", server.name);
        labels.Add("state", telemetry::ServerStateName(state));
        out.Sample(labels.text(), server.state == state ? 1 : 0);
      }
    }
    out.Family("cloud_server_start_time_seconds", MetricType::kGauge,
               "When the server was started, in seconds since 1970.");
    for (const Server& server : servers) {
      if (server.HasFigures())
        out.Sample(server.labels, static_cast<double>(server.snapshot->start_time_ms) / 1000);
    }
    out.Family("cloud_server_uptime_seconds", MetricType::kGauge,
               "How long the server has been running.");
    for (const Server& server : servers) {
      if (!server.HasFigures()) continue;
      const std::int64_t up_ms = clock_.NowMs() - server.snapshot->start_time_ms;
      out.Sample(server.labels, static_cast<double>(up_ms) / 1000);
    }
  }

  static std::string LoopLabels(const Server& server, std::size_t loop) {
    LabelText labels("loop", std::to_string(loop));
    return std::string(labels.Add("server", server.name).text());
  }

  static void WriteLoops(TextWriter& out, const std::vector<Server>& servers,
                         std::int64_t steady_ns) {
    out.Family("cloud_server_loop_heartbeat_age_seconds", MetricType::kGauge,
               "How long ago an event loop last said that it turns.");
    for (const Server& server : servers) {
      for (std::size_t i = 0; server.HasFigures() && i < server.snapshot->loops.size(); ++i) {
        const double age = static_cast<double>(steady_ns) -
                           static_cast<double>(server.snapshot->loops[i].heartbeat_ns);
        out.Sample(LoopLabels(server, i), age / kNsPerSecond);
      }
    }
    out.Family("cloud_server_loop_heartbeats_total", MetricType::kCounter,
               "How often an event loop has said that it turns.");
    for (const Server& server : servers) {
      for (std::size_t i = 0; server.HasFigures() && i < server.snapshot->loops.size(); ++i)
        out.Sample(LoopLabels(server, i), server.snapshot->loops[i].heartbeats);
    }
  }

  static void WriteProcess(TextWriter& out, const std::vector<Server>& servers) {
    struct Figure {
      std::string_view metric;
      MetricType type;
      std::string_view help;
      std::optional<double> (*value)(const ProcessFigures&);
    };
    static constexpr std::array<Figure, 6> kFigures = {{
        {"cloud_server_process_cpu_seconds_total", MetricType::kCounter,
         "CPU time the server used.",
         [](const ProcessFigures& p) { return std::optional(p.cpu_seconds); }},
        {"cloud_server_process_max_fds", MetricType::kGauge,
         "File descriptors the server may have open.",
         [](const ProcessFigures& p) { return p.max_fds; }},
        {"cloud_server_process_open_fds", MetricType::kGauge,
         "File descriptors the server has open.",
         [](const ProcessFigures& p) { return p.open_fds; }},
        {"cloud_server_process_resident_memory_bytes", MetricType::kGauge,
         "Memory of the server that is in RAM.",
         [](const ProcessFigures& p) { return std::optional(p.resident_bytes); }},
        {"cloud_server_process_threads", MetricType::kGauge, "Threads of the server.",
         [](const ProcessFigures& p) { return std::optional(p.threads); }},
        {"cloud_server_process_virtual_memory_bytes", MetricType::kGauge,
         "Address space of the server.",
         [](const ProcessFigures& p) { return std::optional(p.virtual_bytes); }},
    }};
    for (const Figure& figure : kFigures) {
      out.Family(figure.metric, figure.type, figure.help);
      for (const Server& server : servers) {
        if (!server.HasFigures()) continue;
        if (const std::optional<double> value = figure.value(*server.process))
          out.Sample(server.labels, *value);
      }
    }
  }

  static MetricType TypeOf(telemetry::StatType type) {
    if (type == telemetry::StatType::kHistogram) return MetricType::kHistogram;
    return type == telemetry::StatType::kCounter ? MetricType::kCounter : MetricType::kGauge;
  }

  static void WriteFigures(TextWriter& out, const std::vector<Server>& servers) {
    std::span<const telemetry::StatInfo> left = telemetry::kStatsByFamily;
    for (const telemetry::StatFamilyInfo& family : telemetry::kStatFamilies) {
      std::size_t count = 0;
      while (count < left.size() && left[count].family == family.id) ++count;
      const auto stats = left.first(count);
      left = left.subspan(count);
      out.Family(family.name, TypeOf(family.type), family.help);
      for (const Server& server : servers) {
        if (!server.HasFigures()) continue;
        if (family.type == telemetry::StatType::kHistogram) {
          WriteHistogram(out, server, stats, family.Scale());
          continue;
        }
        for (const telemetry::StatInfo& stat : stats) {
          WriteFigure(out, server, stat, family.Scale());
        }
      }
    }
  }

  static void WriteHistogram(TextWriter& out, const Server& server,
                             std::span<const telemetry::StatInfo> stats, double scale) {
    double count = 0;
    double sum = 0;
    for (const telemetry::StatInfo& stat : stats) {
      const auto value = static_cast<double>(server.snapshot->Total(stat.id));
      if (stat.label_name != "le") {
        sum = value * scale;
        continue;
      }
      count += value;
      LabelText labels("le", stat.label_value);
      out.SuffixedSample("_bucket", labels.Add("server", server.name).text(), count);
    }
    out.SuffixedSample("_count", server.labels, count);
    out.SuffixedSample("_sum", server.labels, sum);
  }

  static void WriteFigure(TextWriter& out, const Server& server, const telemetry::StatInfo& stat,
                          double scale) {
    const double value = static_cast<double>(server.snapshot->Total(stat.id)) * scale;
    if (stat.label_name.empty()) {
      out.Sample(server.labels, value);
      return;
    }
    LabelText labels(stat.label_name, stat.label_value);
    out.Sample(labels.Add("server", server.name).text(), value);
  }

  std::vector<fs::path> files_;
  fs::path procfs_;
  const Clock& clock_;
};

}  // namespace

CollectorResult CreateCloudServer(const CollectorOptions& options) {
  return std::make_unique<CloudServer>(options);
}

}  // namespace atalaya::exporter
