#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alertd/templates/text_template.h"
#include "base/config.h"
#include "promql/ast.h"

namespace atalaya::alertd {

// What becomes of a firing alert whose series are not there any more.
enum class NoData {
  kOk,    // It resolves as no longer reported, as in Prometheus.
  kKeep,  // It stays while its target is down (`up` or `cloud_client_up` is 0), then resolves.
  kAlert  // As kOk, and the rule fires with no_data="true" while its selectors return nothing.
};

// One [[rule]], as read and checked: an alerting rule, or with `record` a recording rule.
struct Rule {
  std::string group;                      // The name of its [[group]], else its file's stem.
  std::chrono::milliseconds interval{0};  // Its group's own; 0: that of [rules].
  std::size_t limit = 0;                  // Alerts or series it may make; 0: kMaxAlertsPerRule.
  std::string record;                     // The metric that a recording rule writes, or "".
  std::string alert;
  std::string kind;          // "expr", "disk", "down" and so on: the key it was written with.
  promql::ExprPtr expr;      // What typed rules mean, too.
  promql::ExprPtr presence;  // `expr` without its comparisons: what there is to judge, or null.
  promql::ExprPtr recover;   // A firing alert resolves only where this yields it; null: no matter.
  NoData no_data = NoData::kOk;
  std::chrono::milliseconds for_duration{0};
  std::chrono::milliseconds keep_firing_for{0};
  // Of a verdict that something is missing: an alert begins only once every target was looked at,
  // and then for so long, or for as long as nobody looked before, whichever is less.
  std::optional<std::chrono::milliseconds> sight;
  bool immediate = false;                      // Its notices skip group_wait.
  std::map<std::string, TextTemplate> labels;  // `severity` among them where it was given.
  std::map<std::string, TextTemplate> annotations;
  ConfigPlace place;

  bool IsRecording() const { return !record.empty(); }
  const std::string& Name() const { return IsRecording() ? record : alert; }
};

// Reads a [[rule]]:
//
//   alert = "DiskSpaceLow"
//   expr = "node_load1 > 8"             # exactly one of expr, disk, down and so on
//   disk = { mount = "/", free_below = "10%" }      # or a size; without mount: every mount
//   down = { job = "node" }             # or { probe = "mqtt" }, or { process = "cloud_server" }
//   hung = { server = "cloud_server" }  # without server ({}): every server
//   temperature = { above = 80 }
//   heartbeat = { client = "pump", within = "10m" }
//   for = "5m"
//   keep_firing_for = "2m"
//   recover = "node_load1 < 6"          # for expr; typed rules have it in their table:
//   disk = { free_below = "10%", recover = "15%" }
//   no_data = "ok"                      # or keep (the default of typed rules), or alert
//   limit = 100
//   runbook = "docs/RUNBOOK.md#diskspacelow"     # as summary, an annotation
//   severity = "warning"
//   immediate = false                   # default: true for down = { process = .. }
//   summary = "{{ $labels.mountpoint }} has {{ humanize $value }} % left"
//   labels = { .. }
//   annotations = { .. }
//
// Faults are noted in `table`, a PromQL error with its place in the string; after one the rule is
// not to be used.
//
// or a recording rule: record = "job:up:sum", expr = "sum by (job) (up)", labels, limit.
Rule ReadRule(ConfigTable& table);

// All rules of a file: each [[rule]], which together are a group named after the file, then each
// [[group.rule]] of each [[group]] with `name`, `interval` and `limit`.
std::vector<Rule> ReadRules(ConfigTable root);

// A whole rule file. Fails as ConfigFile::Load, or with every fault, a line each.
Result<std::vector<Rule>> LoadRules(const std::string& path);
Result<std::vector<Rule>> ParseRules(std::string_view toml, const std::string& name);

// What any rule's expression, label and recorded metric must be; kInvalid says what is wrong.
Result<promql::ExprPtr> ParseRuleExpr(std::string_view text);
Status CheckRuleLabel(std::string_view name);
Status CheckRecordName(std::string_view name);

// "DiskSpaceLow (disk)\n  for 5m\n  100 * node_filesystem_avail_bytes{..} ..": for --show-rules.
std::string DescribeRule(const Rule& rule);

}  // namespace atalaya::alertd
