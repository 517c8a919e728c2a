#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alertd/alert.h"
#include "alertd/notify/inhibition.h"
#include "alertd/notify/receiver_config.h"
#include "alertd/notify/route.h"
#include "alertd/notify/silence_book.h"
#include "alertd/notify/time_interval.h"

namespace atalaya::alertd {

// All that decides who hears of an alert, and when. Does not change once it is complete.
struct Routing {
  Route root;
  std::optional<Route> drill;  // To receivers with `drill = true`, beside the tree.
  std::vector<InhibitRule> inhibit_rules;
  TimeIntervals time_intervals;
  std::vector<ReceiverConfig> receivers;
  std::chrono::milliseconds resolve_timeout{
      std::chrono::minutes(5)};  // Of posted alerts without an end.
  bool drill_notify = false;  // Receivers without `drill` hear of alerts labelled drill="true" too.
};

// Gives routes without a receiver every receiver but those for drills, and those their route.
// Returns a line for each of `uses` that names nobody.
std::vector<std::string> CompleteRouting(Routing& routing, const std::vector<NameUse>& uses);

// Every route that takes an alert with `labels`; they live in `routing`.
std::vector<const Route*> RoutesOf(const Routing& routing, const telemetry::Labels& labels);

// The route that made the group of that key; null where there is none any more.
const Route* RouteOfGroup(const Routing& routing, const std::string& group_key,
                          const telemetry::Labels& group_labels);

// Whether `receiver` is to hear of a firing alert with `labels` at all.
bool Wants(const Routing& routing, const ReceiverConfig& receiver, const telemetry::Labels& labels);

const ReceiverConfig* FindReceiver(const Routing& routing, const std::string& name);

// The time intervals that keep `route` quiet at `now_ms`: those that mute it and hold, or all those
// in which it would be active where none holds.
std::vector<std::string> MutedBy(const Routing& routing, const Route& route, std::int64_t now_ms);

// How a firing alert stands with those who are to hear of it.
struct AlertView {
  Alert alert;
  struct Group {  // For each route that takes it.
    std::string key;
    telemetry::Labels labels;
    std::vector<std::string> receivers;
    std::vector<std::string> muted_by;
  };
  std::vector<Group> groups;
  std::vector<std::string> silenced_by;       // Ids of silences.
  std::optional<std::uint64_t> inhibited_by;  // The fingerprint of an alert.

  std::vector<std::string> Receivers() const;  // Of all groups, sorted, each once.
  std::vector<std::string> MutedBy() const;    // Likewise; empty unless every group is muted.
};

// `silences` may be null.
std::vector<AlertView> ViewAlerts(const Routing& routing, const SilenceBook* silences,
                                  std::vector<Alert> firing, std::int64_t now_ms);

}  // namespace atalaya::alertd
