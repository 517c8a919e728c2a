#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "alertd/alert.h"
#include "alertd/notify/matcher.h"
#include "base/config.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxInhibitRules = 1'000;

// While an alert of the source fires, those of the target are not told that have the same values in
// `equal`; a label that is absent on both is the same.
struct InhibitRule {
  Matchers source;
  Matchers target;
  std::vector<std::string> equal;
};

// Reads one [[inhibit_rule]]:
//
//   source_matchers = ["alertname=\"ServerDown\""]
//   target_matchers = ["alertname=~\"ServerUnreachable|ServerHung\""]
//   equal = ["server"]
//
// Faults are noted in `table`. Source: the Alertmanager documentation, <inhibit_rule>.
InhibitRule ReadInhibitRule(ConfigTable& table);

// What all that fires at one moment keeps quiet. An alert on both sides of a rule is inhibited by
// none that is on both sides, itself included. Whether a source is told plays no part.
class Inhibitions {
 public:
  // `rules` outlive this.
  Inhibitions(const std::vector<InhibitRule>& rules, std::span<const Alert> firing);

  // The fingerprint of an alert that keeps one with `labels` quiet, if any does.
  std::optional<std::uint64_t> InhibitedBy(const telemetry::Labels& labels) const;

 private:
  struct Sources {
    std::optional<std::uint64_t> any;
    std::optional<std::uint64_t> one_sided;  // No target of the rule itself.
  };
  const std::vector<InhibitRule>& rules_;
  std::vector<std::unordered_map<std::string, Sources>> sources_;  // By rule, then by equal values.
};

}  // namespace atalaya::alertd
