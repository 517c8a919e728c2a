#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alertd/collect/collector.h"
#include "alertd/notify/routing.h"
#include "alertd/pulse.h"
#include "alertd/rules/rule.h"
#include "alertd/rules/rule_engine.h"
#include "base/net.h"
#include "base/result.h"

namespace atalaya::alertd {

// The whole configuration: one or more TOML files read in order as one. [[tables]] are put one
// behind another, keys of [tables] given twice take the later value. Paths are relative to the
// folder of the file that names them.
//
//   [http]     listen = "127.0.0.1:9480"; external_url = "http://127.0.0.1:9480"
//              base_path = "/atalaya"; token_file = "/etc/atalaya/token"
//   [storage]  dir = "/var/lib/atalaya/alertd"
//   [history]  keep_samples = "15d"; keep_minutes = "90d"; keep_hours = "730d"; accept_late = "1d"
//              max_bytes = "10GB"
//   [rules]    files = ["rules/*.toml"]; interval = "5s"
//   [external_labels]  site = "tower"
//   [drill]    match = { server = "cloud_server" }; notify = false
//   [[scrape]], [[probe]], [[process]], [telemetry]: alertd/collect/collect_config.h
//   [posted_alerts]  resolve_timeout = "5m"
//   [[receiver]]: alertd/notify/receiver_config.h
//   [heartbeat]: alertd/pulse.h
//   [route]: alertd/notify/route.h; without it every receiver hears of every alert
//   [[inhibit_rule]]: alertd/notify/inhibition.h
//   [[time_interval]]: alertd/notify/time_interval.h
struct Config {
  struct Http {
    HostPort listen{"127.0.0.1", 9480};
    std::string external_url;  // "" means http:// and the real listen address.
    std::string base_path;     // "/atalaya" where a proxy serves the page below that; else "".
    // Where the token is that requests must bring, and what it holds: "" where it is in the storage
    // folder and was not made yet.
    std::string token_file;
    std::string token;
  } http;
  struct Storage {
    std::string dir = "/var/lib/atalaya/alertd";  // Holds state.db, history.db and token.
  } storage;
  struct History {  // How long the store keeps what; see history::StoreOptions.
    std::chrono::milliseconds keep_samples{std::chrono::hours(24 * 15)};
    std::chrono::milliseconds keep_minutes{std::chrono::hours(24 * 90)};
    std::chrono::milliseconds keep_hours{std::chrono::hours(24 * 730)};
    std::chrono::milliseconds accept_late{std::chrono::hours(24)};
    std::uint64_t max_bytes = 0;  // 0: no limit.
    friend bool operator==(const History&, const History&) = default;
  } history;
  CollectorConfig collect;
  LabelMap external_labels;  // Of notices, where the alert has none of the name.
  struct Rules {
    std::chrono::milliseconds interval{5'000};
    std::vector<Rule> list;  // Of all files, in the order of their names.
  } rules;
  std::shared_ptr<const Routing> routing;  // Complete.
  std::optional<DrillConfig> drill;
  std::optional<HeartbeatConfig> heartbeat;
};

// Reads the files and the rule files that they name. kInvalid with every fault, a line each.
Result<Config> LoadConfig(const std::vector<std::string>& paths);

// What --check-config prints of a good one: a line of counts, then with `show_rules` each rule as
// PromQL.
std::string DescribeConfig(const Config& config, bool show_rules);

}  // namespace atalaya::alertd
