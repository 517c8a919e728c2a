#include "alertd/collect/collect_config.h"

#include <algorithm>

#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

constexpr std::chrono::milliseconds kMaxInterval{24 * 3'600'000};
constexpr std::chrono::milliseconds kDefaultTimeoutMax{10'000};

// `labels`, with `process` among them where it was given. `own` are the names that alertd sets.
LabelMap ReadLabels(ConfigTable& table, const std::vector<std::string>& own) {
  LabelMap labels = table.StringMap("labels");
  for (const auto& [name, value] : labels) {
    if (!promql::IsBareLabelName(name) || name == "__name__") {
      table.Fault("labels", fmt::format("\"{}\" is no label name", name));
    } else if (std::find(own.begin(), own.end(), name) != own.end()) {
      table.Fault("labels", fmt::format("\"{}\" is set by cloud_alertd itself", name));
    }
  }
  return labels;
}

void ReadProcessLabel(ConfigTable& table, LabelMap& labels) {
  const std::string process = table.String("process");
  if (!process.empty()) labels["process"] = process;
}

void ReadTimes(ConfigTable& table, std::chrono::milliseconds& interval,
               std::chrono::milliseconds& timeout) {
  const std::chrono::milliseconds default_interval = interval;
  interval = table.Duration("interval", interval);
  if (interval < kMinInterval || interval > kMaxInterval) {
    table.Fault("interval", "is out of range (100ms to 1d)");
    interval = default_interval;
  }
  timeout = table.Duration("timeout", std::min({interval, timeout, kDefaultTimeoutMax}));
  if (timeout < std::chrono::milliseconds(1) || timeout > interval) {
    table.Fault("timeout", "must be above 0 and no longer than the interval");
    timeout = interval;
  }
}

HostPort ReadAddress(ConfigTable& table, std::string_view key) {
  const std::string text = table.RequiredString(key);
  if (text.empty()) return {};
  const Result<HostPort> address = ParseHostPort(text);
  if (address && address->port != 0 && !address->host.empty()) return *address;
  table.Fault(key, address ? "needs a host and a port above 0" : address.error().message);
  return {};
}

}  // namespace

ScrapeConfig ReadScrape(ConfigTable& table) {
  ScrapeConfig scrape;
  scrape.job = table.RequiredString("job");
  scrape.targets = table.Strings("targets");
  if (!table.Has("targets"))
    table.Fault(fmt::format("{}: \"targets\" is missing (write targets = [\"127.0.0.1:9100\"])",
                            table.Name()));
  for (const std::string& target : scrape.targets) {
    std::string_view address = target;
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (address.starts_with(scheme)) address.remove_prefix(scheme.size());
    }
    const Result<HostPort> parsed = ParseHostPort(address);
    if (!parsed) table.Fault("targets", parsed.error().message);
  }
  scrape.path = table.String("path", scrape.path);
  if (scrape.path.empty() || scrape.path.front() != '/')
    table.Fault("path", "must begin with \"/\"");
  scrape.timeout = kDefaultTimeoutMax;
  ReadTimes(table, scrape.interval, scrape.timeout);
  scrape.labels = ReadLabels(table, {"job", "instance"});
  ReadProcessLabel(table, scrape.labels);
  return scrape;
}

ProbeConfig ReadProbe(ConfigTable& table) {
  ProbeConfig probe;
  probe.name = table.RequiredString("name");
  probe.kind =
      table.OneOf("kind", "tcp", {"tcp", "mqtt"}) == "mqtt" ? ProbeKind::kMqtt : ProbeKind::kTcp;
  probe.target = ReadAddress(table, "target");
  ReadTimes(table, probe.interval, probe.timeout);
  probe.labels = ReadLabels(table, {"probe"});
  ReadProcessLabel(table, probe.labels);
  return probe;
}

ProcessConfig ReadProcess(ConfigTable& table) {
  ProcessConfig process;
  process.name = table.RequiredString("name");
  process.stats_file = table.String("stats_file");
  process.pid_file = table.String("pid_file");
  if (process.stats_file.empty() == process.pid_file.empty())
    table.Fault(fmt::format("{}: needs either stats_file or pid_file", table.Name()));
  process.labels = ReadLabels(table, {"process"});
  return process;
}

TelemetryConfig ReadTelemetry(ConfigTable& table) {
  TelemetryConfig telemetry;
  telemetry.server = ReadAddress(table, "server");
  telemetry.client_id = table.String("client_id", telemetry.client_id);
  if (telemetry.client_id.empty()) table.Fault("client_id", "must not be empty");
  return telemetry;
}

}  // namespace atalaya::alertd
