#include "alertd/config.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "alertd/token.h"
#include "base/config.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMaxRuleFiles = 1'000;
constexpr std::chrono::milliseconds kMaxRulesInterval{3'600'000};
constexpr std::chrono::milliseconds kMinResolveTimeout{1'000};
constexpr std::chrono::milliseconds kMaxResolveTimeout{std::chrono::hours(24)};
constexpr std::chrono::milliseconds kMinKept{std::chrono::hours(1)};
constexpr std::chrono::milliseconds kMaxKept{std::chrono::hours(24 * 36'500)};

// What the files have in common while they are read.
struct Reading {
  Config config;
  std::vector<std::string> rule_files;
  std::vector<std::string> faults;  // Of whole files, a line each or more.
  std::set<std::string> jobs, probes, processes, receivers;
  struct Fallback {
    std::string receiver, fallback;
    ConfigPlace place;
  };
  std::vector<Fallback> fallbacks;
  Routing routing;
  bool has_route = false;
  std::vector<NameUse> uses;  // In the routing.
  std::size_t targets = 0;
};

void Unique(ConfigTable& table, std::string_view key, const std::string& name,
            std::set<std::string>& seen) {
  if (!name.empty() && !seen.insert(name).second)
    table.Fault(key,
                fmt::format("\"{}\" is there already; each {} needs its own", name, table.Name()));
}

std::string Beside(const std::string& file, const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  return (std::filesystem::path(file).parent_path() / path).string();
}

HostPort ReadListen(ConfigTable& table, std::string_view key, const HostPort& default_value) {
  if (!table.Has(key)) return default_value;
  const std::string text = table.String(key);
  const Result<HostPort> address = ParseHostPort(text);
  if (address) return *address;
  table.Fault(key, address.error().message);
  return default_value;
}

// The files that `pattern` names; without a wildcard it must be there.
std::vector<std::string> Expand(ConfigTable& table, const std::string& pattern) {
  std::vector<std::string> files;
  glob_t found{};
  const int code = glob(pattern.c_str(), 0, nullptr, &found);
  for (std::size_t i = 0; i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
  globfree(&found);
  if (code == GLOB_NOMATCH && pattern.find_first_of("*?[") == std::string::npos) {
    table.Fault("files", fmt::format("{}: there is no such file", pattern));
  } else if (code != 0 && code != GLOB_NOMATCH) {
    table.Fault("files", fmt::format("{}: cannot be read", pattern));
  }
  return files;
}

void ReadRulesTable(ConfigTable table, const std::string& file, Reading& reading) {
  auto& interval = reading.config.rules.interval;
  interval = table.Duration("interval", interval);
  if (interval < kMinInterval || interval > kMaxRulesInterval) {
    table.Fault("interval", "is out of range (100ms to 1h)");
    interval = Config::Rules().interval;
  }
  for (const std::string& pattern : table.Strings("files")) {
    for (std::string& found : Expand(table, Beside(file, pattern))) {
      const auto& all = reading.rule_files;
      if (std::find(all.begin(), all.end(), found) == all.end())
        reading.rule_files.push_back(std::move(found));
    }
  }
  if (reading.rule_files.size() > kMaxRuleFiles)
    table.Fault("files", fmt::format("more than {} rule files", kMaxRuleFiles));
}

void ReadDrill(ConfigTable root, Reading& reading) {
  if (!root.Has("drill")) return;
  ConfigTable table = root.Table("drill");
  DrillConfig drill;
  drill.match = table.StringMap("match");
  drill.notify = table.Bool("notify", false);
  if (drill.match.empty())
    table.Fault("[drill]: \"match\" is missing (write match = { server = \"cloud_server\" })");
  reading.config.drill = std::move(drill);
}

void CountTargets(ConfigTable& table, std::size_t count, Reading& reading) {
  reading.targets += count;
  if (reading.targets > kMaxTargets)
    table.Fault(
        fmt::format("{} targets so far; at most {} are allowed", reading.targets, kMaxTargets));
}

void ReadCollect(ConfigTable& root, const std::string& file, Reading& reading) {
  CollectorConfig& collect = reading.config.collect;
  for (ConfigTable& table : root.Tables("scrape")) {
    ScrapeConfig scrape = ReadScrape(table);
    Unique(table, "job", scrape.job, reading.jobs);
    CountTargets(table, scrape.targets.size(), reading);
    collect.scrapes.push_back(std::move(scrape));
  }
  for (ConfigTable& table : root.Tables("probe")) {
    ProbeConfig probe = ReadProbe(table);
    Unique(table, "name", probe.name, reading.probes);
    CountTargets(table, 1, reading);
    collect.probes.push_back(std::move(probe));
  }
  for (ConfigTable& table : root.Tables("process")) {
    ProcessConfig process = ReadProcess(table);
    Unique(table, "name", process.name, reading.processes);
    process.stats_file = Beside(file, process.stats_file);
    process.pid_file = Beside(file, process.pid_file);
    collect.processes.push_back(std::move(process));
  }
  if (root.Has("telemetry")) {
    ConfigTable table = root.Table("telemetry");
    collect.telemetry = ReadTelemetry(table);
  }
}

void ReadReceivers(ConfigTable& root, Reading& reading) {
  for (ConfigTable& table : root.Tables("receiver")) {
    ReceiverConfig receiver = ReadReceiver(table);
    Unique(table, "name", receiver.name, reading.receivers);
    if (!receiver.fallback.empty())
      reading.fallbacks.push_back({receiver.name, receiver.fallback, table.Place("fallback")});
    reading.routing.receivers.push_back(std::move(receiver));
    if (reading.routing.receivers.size() == kMaxReceivers + 1)
      table.Fault(fmt::format("more than {} receivers", kMaxReceivers));
  }
}

void ReadRouting(ConfigTable& root, Reading& reading) {
  Routing& routing = reading.routing;
  if (root.Has("route")) {
    ConfigTable table = root.Table("route");
    if (std::exchange(reading.has_route, true))
      table.Fault("there is a [route] already; its branches are [[route.routes]]");
    routing.root = ReadRoute(table, reading.uses);
  }
  for (ConfigTable& table : root.Tables("inhibit_rule")) {
    routing.inhibit_rules.push_back(ReadInhibitRule(table));
    if (routing.inhibit_rules.size() == kMaxInhibitRules + 1)
      table.Fault(fmt::format("more than {} inhibit rules", kMaxInhibitRules));
  }
  for (ConfigTable& table : root.Tables("time_interval")) {
    ReadTimeInterval(table, routing.time_intervals);
    if (routing.time_intervals.size() == kMaxTimeIntervals + 1)
      table.Fault(fmt::format("more than {} time intervals", kMaxTimeIntervals));
  }
  ConfigTable posted = root.Table("posted_alerts");
  auto& timeout = routing.resolve_timeout;
  timeout = posted.Duration("resolve_timeout", timeout);
  if (timeout < kMinResolveTimeout || timeout > kMaxResolveTimeout)
    posted.Fault("resolve_timeout", "is out of range (1s to 1d)");
}

// Once all files are read: a fallback may stand in another one.
void CheckFallbacks(Reading& reading) {
  for (const auto& [receiver, fallback, place] : reading.fallbacks) {
    if (fallback == receiver || !reading.receivers.contains(fallback)) {
      reading.faults.push_back(
          fmt::format("{}: fallback: \"{}\" is not another receiver", place.ToString(), fallback));
    }
  }
}

void ReadToken(ConfigTable& table, const std::string& file, Config::Http& http) {
  if (!table.Has("token_file")) return;
  http.token_file = Beside(file, table.RequiredString("token_file"));
  Result<std::string> token = ReadTokenFile(http.token_file);
  if (!token) return table.Fault("token_file", token.error().message);
  http.token = std::move(*token);
}

// "/atalaya" of "https://tower.example/atalaya/"; "" where the URL has no path.
std::string PathOfUrl(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t path = url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  if (path == std::string_view::npos) return "";
  url.remove_prefix(path);
  return std::string(url.substr(0, url.find_last_not_of('/') + 1));
}

// What a path has without being decoded, and what a cookie's Path and a Location may hold.
bool IsBasePath(std::string_view path) {
  return path.empty() ||
         (path.front() == '/' && path.back() != '/' && path.find("//") == std::string_view::npos &&
          std::all_of(path.begin(), path.end(), [](char c) {
            return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                   std::string_view("/-._~").find(c) != std::string_view::npos;
          }));
}

constexpr char kNoBasePath[] =
    "\"{}\" is no path below which the page can stand (write /atalaya, of letters, digits and "
    "-._~)";

void ReadBasePath(ConfigTable& table, Config::Http& http) {
  http.base_path = table.String("base_path", http.base_path);
  if (IsBasePath(http.base_path)) return;
  table.Fault("base_path", fmt::format(kNoBasePath, http.base_path));
  http.base_path.clear();
}

// What one key leaves to others, once all files are read.
void SetDefaults(Reading& reading) {
  Config::Http& http = reading.config.http;
  if (http.base_path.empty()) http.base_path = PathOfUrl(http.external_url);
  if (!IsBasePath(http.base_path))
    reading.faults.push_back("external_url: " + fmt::format(kNoBasePath, http.base_path));
  if (http.token_file.empty()) {
    http.token_file = reading.config.storage.dir + "/" + kTokenFileName;
    http.token = ReadTokenFile(http.token_file).value_or("");
  }
}

void ReadHistory(ConfigTable table, Config::History& history) {
  const std::pair<std::string_view, std::chrono::milliseconds*> times[] = {
      {"keep_samples", &history.keep_samples},
      {"keep_minutes", &history.keep_minutes},
      {"keep_hours", &history.keep_hours},
      {"accept_late", &history.accept_late}};
  for (const auto& [key, time] : times) {
    *time = table.Duration(key, *time);
    if (*time < kMinKept || *time > kMaxKept) table.Fault(key, "is out of range (1h to 36500d)");
  }
  if (history.accept_late > history.keep_samples) {
    table.Fault("accept_late", "is longer than keep_samples");
  }
  history.max_bytes = table.Size("max_bytes", history.max_bytes);
}

void ReadConfigFile(const std::string& path, Reading& reading) {
  Result<ConfigFile> file = ConfigFile::Load(path);
  if (!file) {
    reading.faults.push_back(file.error().message);
    return;
  }
  Config& config = reading.config;
  ConfigTable root = file->Root();
  ConfigTable http = root.Table("http");
  config.http.listen = ReadListen(http, "listen", config.http.listen);
  config.http.external_url = http.String("external_url", config.http.external_url);
  ReadBasePath(http, config.http);
  ReadToken(http, path, config.http);
  ReadHistory(root.Table("history"), config.history);
  ConfigTable storage = root.Table("storage");
  if (storage.Has("dir")) config.storage.dir = Beside(path, storage.RequiredString("dir"));
  ReadRulesTable(root.Table("rules"), path, reading);
  ReadDrill(root, reading);
  if (root.Has("external_labels")) {
    config.external_labels = ReadLabels(root, "external_labels", {"alertname"});
  }
  ReadCollect(root, path, reading);
  ReadReceivers(root, reading);
  if (root.Has("heartbeat")) config.heartbeat = ReadHeartbeat(root.Table("heartbeat"));
  ReadRouting(root, reading);
  if (Status good = file->Finish(); !good) reading.faults.push_back(good.error().message);
}

void ReadRuleFile(const std::string& path, Reading& reading) {
  Result<std::vector<Rule>> rules = LoadRules(path);
  if (!rules) {
    reading.faults.push_back(rules.error().message);
    return;
  }
  for (Rule& rule : *rules) reading.config.rules.list.push_back(std::move(rule));
}

}  // namespace

Result<Config> LoadConfig(const std::vector<std::string>& paths) {
  Reading reading;
  for (const std::string& path : paths) ReadConfigFile(path, reading);
  CheckFallbacks(reading);
  for (const std::string& path : reading.rule_files) ReadRuleFile(path, reading);
  SetDefaults(reading);
  reading.routing.drill_notify = reading.config.drill && reading.config.drill->notify;
  for (std::string& fault : CompleteRouting(reading.routing, reading.uses))
    reading.faults.push_back(std::move(fault));
  reading.config.routing = std::make_shared<const Routing>(std::move(reading.routing));
  if (!reading.faults.empty())
    return Fail(ErrorCode::kInvalid, "{}", fmt::join(reading.faults, "\n"));
  return std::move(reading.config);
}

std::string DescribeConfig(const Config& config, bool show_rules) {
  std::size_t targets = 0;
  for (const ScrapeConfig& scrape : config.collect.scrapes) targets += scrape.targets.size();
  std::string text = fmt::format(
      "the configuration is good: {} scrape targets, {} probes, {} processes, {} rules, {} "
      "receivers\n",
      targets, config.collect.probes.size(), config.collect.processes.size(),
      config.rules.list.size(), config.routing->receivers.size());
  if (!show_rules) return text;
  for (const Rule& rule : config.rules.list) text += "\n" + DescribeRule(rule) + "\n";
  return text;
}

}  // namespace atalaya::alertd
