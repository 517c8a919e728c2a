#include "alertd/collect/collect_config.h"

#include <algorithm>
#include <filesystem>

#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

constexpr std::chrono::milliseconds kDefaultTimeoutMax{10'000};
constexpr std::size_t kMaxBodyBytes = 1u << 30;
constexpr std::int64_t kMaxLimit = 10'000'000;

void CheckTargets(ConfigTable& table, const std::vector<std::string>& targets) {
  if (!table.Has("targets") && !table.Has("files"))
    table.Fault(fmt::format("{}: \"targets\" is missing (write targets = [\"127.0.0.1:9100\"])",
                            table.Name()));
  for (const std::string& target : targets) {
    std::string_view address = target;
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (address.starts_with(scheme)) address.remove_prefix(scheme.size());
    }
    const Result<HostPort> parsed = ParseHostPort(address);
    if (!parsed) table.Fault("targets", parsed.error().message);
  }
}

std::vector<std::string> ReadFilePatterns(ConfigTable& table) {
  std::vector<std::string> patterns;
  const std::filesystem::path folder = std::filesystem::path(table.Place().file).parent_path();
  for (const std::string& pattern : table.Strings("files")) {
    const std::filesystem::path path = folder / pattern;
    if (path.extension() != ".json")
      table.Fault("files", fmt::format("\"{}\" must end in .json", pattern));
    if (path.parent_path().string().find_first_of("*?[") != std::string::npos)
      table.Fault("files", fmt::format("\"{}\": wildcards stand in the last part only", pattern));
    patterns.push_back(path.string());
  }
  return patterns;
}

void ReadLimits(ConfigTable& table, ScrapeLimits& limits) {
  const std::pair<std::string_view, std::size_t*> counts[] = {
      {"sample_limit", &limits.samples},
      {"label_limit", &limits.labels},
      {"label_name_length_limit", &limits.label_name_bytes},
      {"label_value_length_limit", &limits.label_value_bytes}};
  for (const auto& [key, limit] : counts) {
    *limit = static_cast<std::size_t>(
        table.Integer(key, static_cast<std::int64_t>(*limit), 1, kMaxLimit));
  }
  limits.body_bytes = table.Size("body_size_limit", limits.body_bytes);
  if (limits.body_bytes < 1 || limits.body_bytes > kMaxBodyBytes)
    table.Fault("body_size_limit", "is out of range (1 to 1GiB)");
}

}  // namespace

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

void ReadAuthorization(ConfigTable& table, const Authorization& into) {
  *into.username = table.String("username");
  *into.password = table.Secret("password_file");
  *into.bearer_token = table.Secret("bearer_token_file");
  *into.ca_file = table.Path("ca_file");
  if (!into.username->empty() && !into.bearer_token->empty())
    table.Fault("username", "either username or bearer_token_file, not both");
  if (into.username->empty() && !into.password->empty())
    table.Fault("password_file", "needs a username");
}

LabelMap ReadLabels(ConfigTable& table, std::string_view key, const std::vector<std::string>& own) {
  LabelMap labels = table.StringMap(key);
  for (const auto& [name, value] : labels) {
    if (!promql::IsBareLabelName(name) || name == "__name__") {
      table.Fault(key, fmt::format("\"{}\" is no label name", name));
    } else if (std::find(own.begin(), own.end(), name) != own.end()) {
      table.Fault(key, fmt::format("\"{}\" is set by cloud_alertd itself", name));
    }
  }
  return labels;
}

ScrapeConfig ReadScrape(ConfigTable& table) {
  ScrapeConfig scrape;
  scrape.job = table.RequiredString("job");
  scrape.targets = table.Strings("targets");
  CheckTargets(table, scrape.targets);
  scrape.files = ReadFilePatterns(table);
  scrape.scheme = table.OneOf("scheme", scrape.scheme, {"http", "https"});
  scrape.path = table.String("path", scrape.path);
  if (scrape.path.empty() || scrape.path.front() != '/')
    table.Fault("path", "must begin with \"/\"");
  scrape.params = table.StringMap("params");
  scrape.timeout = kDefaultTimeoutMax;
  ReadTimes(table, scrape.interval, scrape.timeout);
  ReadAuthorization(table,
                    {&scrape.username, &scrape.password, &scrape.bearer_token, &scrape.ca_file});
  scrape.honor_labels = table.Bool("honor_labels", scrape.honor_labels);
  scrape.honor_timestamps = table.Bool("honor_timestamps", scrape.honor_timestamps);
  ReadLimits(table, scrape.limits);
  scrape.labels = ReadLabels(table, "labels", {"job", "instance"});
  ReadProcessLabel(table, scrape.labels);
  return scrape;
}

ProcessConfig ReadProcess(ConfigTable& table) {
  ProcessConfig process;
  process.name = table.RequiredString("name");
  process.stats_file = table.String("stats_file");
  process.pid_file = table.String("pid_file");
  if (process.stats_file.empty() == process.pid_file.empty())
    table.Fault(fmt::format("{}: needs either stats_file or pid_file", table.Name()));
  process.labels = ReadLabels(table, "labels", {"process"});
  return process;
}

TelemetryConfig ReadTelemetry(ConfigTable& table) {
  TelemetryConfig telemetry;
  telemetry.server = ReadAddress(table, "server");
  telemetry.client_id = table.String("client_id", telemetry.client_id);
  if (telemetry.client_id.empty()) table.Fault("client_id", "must not be empty");
  telemetry.username = table.String("username");
  telemetry.password = table.Secret("password_file");
  if (telemetry.username.empty() && !telemetry.password.empty())
    table.Fault("password_file", "needs a username");
  telemetry.series_per_client = static_cast<std::size_t>(table.Integer(
      "series_per_client", static_cast<std::int64_t>(telemetry.series_per_client), 1, kMaxLimit));
  return telemetry;
}

}  // namespace atalaya::alertd
