#include "alertd/rules/typed_rules.h"

#include <charconv>
#include <optional>

#include "base/check.h"
#include "base/duration.h"
#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

using promql::BinaryOp;
using promql::ExprPtr;
using telemetry::Matcher;

// Left out by default, as node_exporter does: none of them holds data that can run out.
constexpr std::string_view kFsTypesLeftOut =
    "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|erofs|fusectl|hugetlbfs|"
    "iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|"
    "tracefs";

constexpr std::string_view kStopPlanned = "process_watch_stop_planned";

// The readings that `temperature` judges where it names none.
constexpr const char* kTemperatures[] = {"node_hwmon_temp_celsius", "node_thermal_zone_temp",
                                         "telemetry_temperature_celsius"};

// Trees built here from checked parts are right by construction.
ExprPtr Must(const Result<ExprPtr>& made) {
  ATALAYA_CHECK(made.has_value());
  return *made;
}

ExprPtr Select(std::string_view name, std::vector<Matcher> matchers) {
  return Must(promql::MakeSelector(std::string(name), std::move(matchers)));
}

ExprPtr Join(BinaryOp op, ExprPtr lhs, ExprPtr rhs, promql::Matching matching = {}) {
  return Must(promql::MakeBinary(op, std::move(lhs), std::move(rhs), std::move(matching)));
}

Matcher Equal(std::string name, std::string value) {
  return {Matcher::Kind::kEqual, std::move(name), std::move(value)};
}

// A share in percent ("10%"), or a size in bytes.
struct FreeBelow {
  bool percent = false;
  double value = 0;
};

std::optional<FreeBelow> ParseFreeBelow(std::string_view text) {
  if (text.ends_with('%')) {
    double percent = 0;
    const char* const last = text.data() + text.size() - 1;
    const auto [end, error] = std::from_chars(text.data(), last, percent);
    if (error != std::errc() || end != last || !(percent > 0 && percent <= 100))
      return std::nullopt;
    return FreeBelow{true, percent};
  }
  const Result<std::uint64_t> size = ParseSize(text);
  if (!size || *size == 0) return std::nullopt;
  return FreeBelow{false, static_cast<double>(*size)};
}

ExprPtr CompileDisk(ConfigTable disk) {
  const std::string mount = disk.String("mount");
  const std::string text = disk.RequiredString("free_below");
  const std::optional<FreeBelow> limit = ParseFreeBelow(text);
  if (!limit) {
    if (!text.empty()) {
      disk.Fault("free_below",
                 fmt::format("\"{}\" is neither a share nor a size (write 10% or 5GiB)", text));
    }
    return nullptr;
  }
  std::vector<Matcher> matchers = {
      {Matcher::Kind::kNotRegex, "fstype", std::string(kFsTypesLeftOut)}};
  if (!mount.empty()) matchers = {Equal("mountpoint", mount)};
  ExprPtr free = Select("node_filesystem_avail_bytes", matchers);
  if (limit->percent) {
    free = Join(BinaryOp::kMul, promql::MakeNumber(100), free);
    free = Join(BinaryOp::kDiv, free, Select("node_filesystem_size_bytes", matchers));
  }
  const ExprPtr low = Join(BinaryOp::kLess, free, promql::MakeNumber(limit->value));
  const ExprPtr readonly =
      Join(BinaryOp::kEqual, Select("node_filesystem_readonly", matchers), promql::MakeNumber(1));
  return Join(BinaryOp::kUnless, low, readonly);
}

ExprPtr CompileDown(ConfigTable down) {
  const std::string job = down.String("job");
  const std::string probe = down.String("probe");
  const std::string process = down.String("process");
  if (!job.empty() && !probe.empty()) {
    down.Fault("probe", "takes either job or probe, not both");
    return nullptr;
  }
  if (job.empty() && probe.empty() && process.empty()) {
    down.Fault("down: \"job\", \"probe\" or \"process\" is missing (write \"*\" for every one)");
    return nullptr;
  }
  const auto all_or = [](const std::string& name, const std::string& value) {
    return value == "*" ? std::vector<Matcher>{} : std::vector<Matcher>{Equal(name, value)};
  };
  ExprPtr look = Select("process_watch_up", all_or("process", process));
  promql::Matching same_process;
  same_process.on = true;
  same_process.labels = {"process"};
  std::vector<Matcher> planned;
  if (!job.empty() || !probe.empty()) {
    look = job.empty() ? Select("probe_success", all_or("probe", probe))
                       : Select("up", all_or("job", job));
    if (!process.empty()) {
      planned = {Equal("process", process)};
      same_process.labels.clear();
    }
  }
  return Join(BinaryOp::kUnless, Join(BinaryOp::kEqual, look, promql::MakeNumber(0)),
              Join(BinaryOp::kEqual, Select(kStopPlanned, planned), promql::MakeNumber(1)),
              same_process);
}

ExprPtr CompileHung(ConfigTable hung) {
  std::vector<Matcher> matchers = {Equal("state", "hung")};
  if (const std::string server = hung.String("server"); !server.empty())
    matchers.push_back(Equal("server", server));
  return Join(BinaryOp::kEqual, Select("cloud_server_state", std::move(matchers)),
              promql::MakeNumber(1));
}

ExprPtr CompileTemperature(ConfigTable temperature) {
  if (!temperature.Has("above")) {
    temperature.Fault("temperature: \"above\" is missing (degrees Celsius)");
    return nullptr;
  }
  const ExprPtr above = promql::MakeNumber(temperature.Number("above", 0));
  const std::string metric = temperature.String("metric");
  if (!metric.empty()) {
    if (!promql::IsBareMetricName(metric)) {
      temperature.Fault("metric", fmt::format("\"{}\" is no metric name", metric));
      return nullptr;
    }
    return Join(BinaryOp::kGreater, Select(metric, {}), above);
  }
  ExprPtr any;
  for (const char* name : kTemperatures) {
    ExprPtr hot = Join(BinaryOp::kGreater, Select(name, {}), above);
    any = any == nullptr ? hot : Join(BinaryOp::kOr, any, hot);
  }
  return any;
}

// `expr` without comparisons; `compared` tells whether there was one.
ExprPtr WithoutComparisons(const ExprPtr& expr, bool& compared) {
  if (expr->kind == promql::Expr::Kind::kParen)
    return WithoutComparisons(static_cast<const promql::Paren&>(*expr).inner, compared);
  if (expr->kind != promql::Expr::Kind::kBinary) return expr;
  const auto& binary = static_cast<const promql::Binary&>(*expr);
  if (binary.op == BinaryOp::kAnd || binary.op == BinaryOp::kUnless)
    return WithoutComparisons(binary.lhs, compared);
  if (binary.op == BinaryOp::kOr) {
    const ExprPtr left = WithoutComparisons(binary.lhs, compared);
    return Join(BinaryOp::kOr, left, WithoutComparisons(binary.rhs, compared), binary.matching);
  }
  if (!promql::IsComparison(binary.op) || binary.return_bool) return expr;
  compared = true;
  return binary.lhs->type == promql::ValueType::kVector ? binary.lhs : binary.rhs;
}

}  // namespace

const std::vector<std::string>& TypedRuleKinds() {
  static const std::vector<std::string> kinds = {"disk", "down", "hung", "temperature"};
  return kinds;
}

ExprPtr CompileTypedRule(std::string_view kind, ConfigTable& rule) {
  ConfigTable table = rule.Table(kind);
  if (rule.KindOf(kind) != ConfigTable::Kind::kTable) return nullptr;  // Noted by Table.
  if (kind == "disk") return CompileDisk(table);
  if (kind == "down") return CompileDown(table);
  if (kind == "hung") return CompileHung(table);
  ATALAYA_CHECK(kind == "temperature");
  return CompileTemperature(table);
}

ExprPtr PresenceOf(const ExprPtr& expr) {
  bool compared = false;
  ExprPtr presence = WithoutComparisons(expr, compared);
  return compared ? presence : nullptr;
}

}  // namespace atalaya::alertd
