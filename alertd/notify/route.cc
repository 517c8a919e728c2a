#include "alertd/notify/route.h"

#include <algorithm>
#include <map>
#include <set>

#include "alertd/notify/notice.h"

namespace atalaya::alertd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMinGroupInterval{100};
constexpr milliseconds kMaxGroupTime{std::chrono::hours(24 * 366)};

milliseconds ReadGroupTime(ConfigTable& table, std::string_view key, milliseconds inherited,
                           milliseconds least) {
  const milliseconds time = table.Duration(key, inherited);
  if (time >= least && time <= kMaxGroupTime) return time;
  table.Fault(key, least == milliseconds(0) ? "is out of range (0s to 1y)"
                                            : "is out of range (100ms to 1y)");
  return inherited;
}

void NoteUses(ConfigTable& table, const std::string& key, const std::vector<std::string>& names,
              std::vector<NameUse>& uses) {
  for (const std::string& name : names) uses.push_back({key, name, table.Place(key)});
}

void ReadRouteReceivers(ConfigTable& table, Route& route, std::vector<NameUse>& uses) {
  if (table.Has("receiver") && table.Has("receivers"))
    table.Fault("receivers", "either receiver or receivers, not both");
  if (table.Has("receiver")) {
    route.receivers = {table.String("receiver")};
    NoteUses(table, "receiver", route.receivers, uses);
  } else if (table.Has("receivers")) {
    route.receivers = table.Strings("receivers");
    if (route.receivers.empty()) table.Fault("receivers", "names nobody");
    NoteUses(table, "receivers", route.receivers, uses);
  }
}

void ReadGroupBy(ConfigTable& table, Route& route) {
  if (!table.Has("group_by")) return;
  route.group_by = table.Strings("group_by");
  const std::set<std::string> names(route.group_by.begin(), route.group_by.end());
  if (names.size() != route.group_by.size()) table.Fault("group_by", "names a label twice");
  if (names.contains("")) table.Fault("group_by", "a label's name is empty");
  if (names.contains(std::string(kGroupByAll)) && names.size() > 1)
    table.Fault("group_by", "\"...\" stands for all labels; no other may stand beside it");
}

// What a child does not have from its parent.
void ReadOwnKeys(ConfigTable& table, Route& route, std::vector<NameUse>& uses) {
  route.matchers = ReadMatchers(table, "matchers");
  route.goes_on = table.Bool("continue", false);
  route.mute_time_intervals = table.Strings("mute_time_intervals");
  NoteUses(table, "mute_time_intervals", route.mute_time_intervals, uses);
  route.active_time_intervals = table.Strings("active_time_intervals");
  NoteUses(table, "active_time_intervals", route.active_time_intervals, uses);
}

// `route` comes with what it has from its parent.
void ReadRouteInto(ConfigTable& table, Route& route, std::vector<NameUse>& uses,
                   std::size_t& count) {
  if (++count == kMaxRoutes + 1) table.Fault(fmt::format("more than {} routes", kMaxRoutes));
  ReadRouteReceivers(table, route, uses);
  ReadGroupBy(table, route);
  route.group_wait = ReadGroupTime(table, "group_wait", route.group_wait, milliseconds(0));
  route.group_interval =
      ReadGroupTime(table, "group_interval", route.group_interval, kMinGroupInterval);
  route.repeat_interval =
      ReadGroupTime(table, "repeat_interval", route.repeat_interval, kMinGroupInterval);
  Route inherited = route;
  std::map<std::string, int> seen;
  for (ConfigTable& each : table.Tables("routes")) {
    Route child = inherited;
    ReadOwnKeys(each, child, uses);
    child.key = route.key + "/" + child.matchers.ToString();
    if (const int number = ++seen[child.key]; number > 1) child.key += fmt::format("#{}", number);
    ReadRouteInto(each, child, uses, count);
    route.routes.push_back(std::move(child));
  }
}

bool CollectRoutes(const Route& route, const telemetry::Labels& labels,
                   std::vector<const Route*>& found) {
  if (!route.matchers.Hold(labels)) return false;
  const std::size_t before = found.size();
  for (const Route& child : route.routes) {
    if (CollectRoutes(child, labels, found) && !child.goes_on) break;
  }
  if (found.size() == before) found.push_back(&route);
  return true;
}

}  // namespace

Route ReadRoute(ConfigTable& table, std::vector<NameUse>& uses) {
  Route root;
  for (const char* key : {"matchers", "continue", "mute_time_intervals", "active_time_intervals"}) {
    if (table.Has(key))
      table.Fault(key, "the root takes every alert at any time; write it into a [[route.routes]]");
  }
  std::size_t count = 0;
  ReadRouteInto(table, root, uses, count);
  return root;
}

std::vector<const Route*> MatchRoutes(const Route& root, const telemetry::Labels& labels) {
  std::vector<const Route*> found;
  CollectRoutes(root, labels, found);
  return found;
}

telemetry::Labels GroupLabels(const Route& route, const telemetry::Labels& labels) {
  std::vector<telemetry::Labels::Pair> pairs;
  const bool all = route.group_by.size() == 1 && route.group_by.front() == kGroupByAll;
  for (const auto& [name, value] : labels) {
    const auto& names = route.group_by;
    if (all || std::find(names.begin(), names.end(), name) != names.end())
      pairs.emplace_back(CutText(name, kMaxLabelBytes), CutText(value, kMaxLabelBytes));
  }
  return telemetry::Labels(std::move(pairs));
}

std::string GroupKey(const Route& route, const telemetry::Labels& group_labels) {
  return fmt::format("{}:{}", route.key, group_labels.ToString());
}

}  // namespace atalaya::alertd
