#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/notify/matcher.h"
#include "base/config.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxRoutes = 1'000;
inline constexpr std::string_view kGroupByAll = "...";

// One node of the tree that says who hears of which alerts, and when.
struct Route {
  std::string key =
      "{}";  // `{}/{severity="critical"}`: begins the keys of its groups; each its own.
  Matchers matchers;
  std::vector<std::string> receivers;                 // Empty until Routing is complete: everyone.
  std::vector<std::string> group_by = {"alertname"};  // Names of labels, or only kGroupByAll.
  std::chrono::milliseconds group_wait{std::chrono::seconds(30)};
  std::chrono::milliseconds group_interval{std::chrono::minutes(5)};
  std::chrono::milliseconds repeat_interval{std::chrono::hours(4)};
  bool goes_on = false;  // `continue`: the next siblings are asked, too.
  // Names of time intervals. Muted while one of the first holds, or none of the second, if any.
  std::vector<std::string> mute_time_intervals;
  std::vector<std::string> active_time_intervals;
  std::vector<Route> routes;
};

// A name in the configuration whose bearer may stand in a later file.
struct NameUse {
  std::string key;  // "receiver", "receivers", "mute_time_intervals" or "active_time_intervals".
  std::string name;
  ConfigPlace place;
};

// Reads [route] with its [[route.routes]]:
//
//   receiver = "ops"                   # or receivers = ["ops", "mail"]
//   group_by = ["alertname", "server"] # or ["..."]: each alert by itself
//   group_wait = "30s"
//   group_interval = "5m"
//   repeat_interval = "4h"
//
// and not at the root
//
//   matchers = ["severity=~\"critical|page\""]
//   continue = false
//   mute_time_intervals = ["nights"]
//   active_time_intervals = ["office"]
//
// What a route does not say it has from its parent, but for the last four. Faults are noted in
// `table`; names still to be looked up are added to `uses`.
// Source: the Alertmanager documentation, <route>.
Route ReadRoute(ConfigTable& table, std::vector<NameUse>& uses);

// The routes that take an alert with `labels`: the first child that matches and its children's
// word, further ones where it goes on, and the route itself where no child matches. They live in
// `root`.
std::vector<const Route*> MatchRoutes(const Route& root, const telemetry::Labels& labels);

// What an alert's group in `route` has in common, cut as notices are.
telemetry::Labels GroupLabels(const Route& route, const telemetry::Labels& labels);

// `{}/{severity="critical"}:{alertname="DiskSpaceLow"}`
std::string GroupKey(const Route& route, const telemetry::Labels& group_labels);

}  // namespace atalaya::alertd
