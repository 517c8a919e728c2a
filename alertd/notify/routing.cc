#include "alertd/notify/routing.h"

#include <algorithm>
#include <set>

namespace atalaya::alertd {
namespace {

// A drill is told at once, whatever the routes say: somebody waits for it.
constexpr std::chrono::milliseconds kDrillGroupInterval{1'000};

void GiveReceivers(Route& route, const std::vector<std::string>& everyone) {
  if (route.receivers.empty()) route.receivers = everyone;
  for (Route& child : route.routes) GiveReceivers(child, everyone);
}

bool IsDrill(const telemetry::Labels& labels) { return labels.Get("drill") == "true"; }

const Route* RouteOfKey(const Route& route, std::string_view key) {
  if (route.key == key) return &route;
  for (const Route& child : route.routes) {
    if (const Route* const found = RouteOfKey(child, key)) return found;
  }
  return nullptr;
}

std::string UseFault(const Routing& routing, const NameUse& use) {
  if (use.key != "receiver" && use.key != "receivers") {
    if (routing.time_intervals.contains(use.name)) return "";
    return fmt::format("{}: {}: there is no [[time_interval]] \"{}\"", use.place.ToString(),
                       use.key, use.name);
  }
  const ReceiverConfig* const receiver = FindReceiver(routing, use.name);
  if (receiver == nullptr)
    return fmt::format("{}: {}: there is no [[receiver]] \"{}\"", use.place.ToString(), use.key,
                       use.name);
  if (receiver->drill)
    return fmt::format("{}: {}: \"{}\" has drill = true; it hears of every drill without a route",
                       use.place.ToString(), use.key, use.name);
  return "";
}

}  // namespace

std::vector<std::string> CompleteRouting(Routing& routing, const std::vector<NameUse>& uses) {
  std::vector<std::string> faults;
  for (const NameUse& use : uses) {
    if (std::string fault = UseFault(routing, use); !fault.empty())
      faults.push_back(std::move(fault));
  }
  std::vector<std::string> everyone;
  Route drill;
  for (const ReceiverConfig& receiver : routing.receivers)
    (receiver.drill ? drill.receivers : everyone).push_back(receiver.name);
  GiveReceivers(routing.root, everyone);
  if (drill.receivers.empty()) return faults;
  drill.key = "{drill=\"true\"}";
  drill.group_wait = std::chrono::milliseconds(0);
  drill.group_interval = kDrillGroupInterval;
  routing.drill = std::move(drill);
  return faults;
}

std::vector<const Route*> RoutesOf(const Routing& routing, const telemetry::Labels& labels) {
  std::vector<const Route*> routes = MatchRoutes(routing.root, labels);
  if (routing.drill && IsDrill(labels)) routes.push_back(&*routing.drill);
  return routes;
}

const Route* RouteOfGroup(const Routing& routing, const std::string& group_key,
                          const telemetry::Labels& group_labels) {
  const std::string end = ":" + group_labels.ToString();
  if (!group_key.ends_with(end)) return nullptr;
  const std::string_view key = std::string_view(group_key).substr(0, group_key.size() - end.size());
  if (routing.drill && routing.drill->key == key) return &*routing.drill;
  return RouteOfKey(routing.root, key);
}

bool Wants(const Routing& routing, const ReceiverConfig& receiver,
           const telemetry::Labels& labels) {
  return receiver.drill || !IsDrill(labels) || routing.drill_notify;
}

const ReceiverConfig* FindReceiver(const Routing& routing, const std::string& name) {
  const auto found =
      std::find_if(routing.receivers.begin(), routing.receivers.end(),
                   [&name](const ReceiverConfig& receiver) { return receiver.name == name; });
  return found == routing.receivers.end() ? nullptr : &*found;
}

std::vector<std::string> MutedBy(const Routing& routing, const Route& route, std::int64_t now_ms) {
  const TimeIntervals& intervals = routing.time_intervals;
  const auto& active = route.active_time_intervals;
  if (!active.empty() && IntervalsAt(intervals, active, now_ms).empty()) return active;
  return IntervalsAt(intervals, route.mute_time_intervals, now_ms);
}

std::vector<std::string> AlertView::Receivers() const {
  std::set<std::string> names;
  for (const Group& group : groups) names.insert(group.receivers.begin(), group.receivers.end());
  return {names.begin(), names.end()};
}

std::vector<std::string> AlertView::MutedBy() const {
  std::set<std::string> names;
  for (const Group& group : groups) {
    if (group.muted_by.empty()) return {};
    names.insert(group.muted_by.begin(), group.muted_by.end());
  }
  return {names.begin(), names.end()};
}

std::vector<AlertView> ViewAlerts(const Routing& routing, const SilenceBook* silences,
                                  std::vector<Alert> firing, std::int64_t now_ms) {
  const Inhibitions inhibitions(routing.inhibit_rules, firing);
  std::vector<AlertView> views;
  for (Alert& alert : firing) {
    AlertView view;
    for (const Route* route : RoutesOf(routing, alert.labels)) {
      AlertView::Group group;
      group.labels = GroupLabels(*route, alert.labels);
      group.key = GroupKey(*route, group.labels);
      group.muted_by = MutedBy(routing, *route, now_ms);
      for (const std::string& name : route->receivers) {
        if (Wants(routing, *FindReceiver(routing, name), alert.labels))
          group.receivers.push_back(name);
      }
      view.groups.push_back(std::move(group));
    }
    if (silences != nullptr) view.silenced_by = silences->Covering(alert.labels);
    view.inhibited_by = inhibitions.InhibitedBy(alert.labels);
    view.alert = std::move(alert);
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace atalaya::alertd
