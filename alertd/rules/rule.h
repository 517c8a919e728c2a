#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "alertd/rules/text_template.h"
#include "base/config.h"
#include "promql/ast.h"

namespace atalaya::alertd {

// One [[rule]], as read and checked.
struct Rule {
  std::string alert;
  std::string
      kind;  // "expr", "disk", "down", "hung" or "temperature": the key it was written with.
  promql::ExprPtr expr;      // What typed rules mean, too.
  promql::ExprPtr presence;  // `expr` without its comparisons: what there is to judge.
  std::chrono::milliseconds for_duration{0};
  bool immediate = false;                      // Its notices skip group_wait.
  std::map<std::string, TextTemplate> labels;  // `severity` among them where it was given.
  std::map<std::string, TextTemplate> annotations;
  ConfigPlace place;
};

// Reads a [[rule]]:
//
//   alert = "DiskSpaceLow"
//   expr = "node_load1 > 8"             # exactly one of expr, disk, down, hung, temperature
//   disk = { mount = "/", free_below = "10%" }      # or a size; without mount: every mount
//   down = { job = "node" }             # or { probe = "mqtt" }, or { process = "cloud_server" }
//   hung = { server = "cloud_server" }  # without server ({}): every server
//   temperature = { above = 80 }
//   for = "5m"
//   severity = "warning"
//   immediate = false                   # default: true for down = { process = .. }
//   summary = "{{ $labels.mountpoint }} has {{ humanize $value }} % left"
//   labels = { .. }
//   annotations = { .. }
//
// Faults are noted in `table`, a PromQL error with its place in the string; after one the rule is
// not to be used.
Rule ReadRule(ConfigTable& table);

// "DiskSpaceLow (disk)\n  for 5m\n  100 * node_filesystem_avail_bytes{..} ..": for --show-rules.
std::string DescribeRule(const Rule& rule);

}  // namespace atalaya::alertd
