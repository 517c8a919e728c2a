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

// When the last packet of a client arrived, in Unix seconds, one sample for each.
constexpr std::string_view kLastArrival = "cloud_client_last_arrival_timestamp_seconds";

// The readings that `temperature` judges where it names none.
constexpr const char* kTemperatures[] = {"node_hwmon_temp_celsius", "node_thermal_zone_temp",
                                         "telemetry_temperature_celsius"};

constexpr std::chrono::milliseconds kMinWindow{10'000};
constexpr std::chrono::milliseconds kMaxWindow{std::chrono::hours(24 * 366)};

// Text composed here from checked parts is right by construction.
ExprPtr Must(const std::string& text) {
  const Result<ExprPtr> parsed = promql::Parse(text);
  ATALAYA_CHECK(parsed.has_value());
  return *parsed;
}

Matcher Equal(std::string name, std::string value) {
  return {Matcher::Kind::kEqual, std::move(name), std::move(value)};
}

// `name{matchers}`, its values quoted as PromQL wants them.
std::string Select(std::string_view name, std::vector<Matcher> matchers) {
  const Result<ExprPtr> made = promql::MakeSelector(std::string(name), std::move(matchers));
  ATALAYA_CHECK(made.has_value());
  return promql::ToString(**made);
}

// A share in percent ("10%"), or a size in bytes.
struct Amount {
  bool percent = false;
  double value = 0;
};

std::optional<Amount> ParseAmount(std::string_view text) {
  if (text.ends_with('%')) {
    double percent = 0;
    const char* const last = text.data() + text.size() - 1;
    const auto [end, error] = std::from_chars(text.data(), last, percent);
    if (error != std::errc() || end != last || !(percent > 0 && percent <= 100))
      return std::nullopt;
    return Amount{true, percent};
  }
  const Result<std::uint64_t> size = ParseSize(text);
  if (!size || *size == 0) return std::nullopt;
  return Amount{false, static_cast<double>(*size)};
}

// The amount at `key`; a fault is noted where it is missing, none, or a size where only a share
// makes sense.
std::optional<Amount> ReadAmount(ConfigTable& table, std::string_view key, bool only_percent) {
  const std::string text = table.RequiredString(key);
  if (text.empty()) return std::nullopt;
  const std::optional<Amount> amount = ParseAmount(text);
  if (amount && (amount->percent || !only_percent)) return amount;
  table.Fault(key,
              only_percent
                  ? fmt::format("\"{}\" is no share (write 10%)", text)
                  : fmt::format("\"{}\" is neither a share nor a size (write 10% or 5GiB)", text));
  return std::nullopt;
}

std::chrono::milliseconds WindowTime(ConfigTable& table, std::string_view key,
                                     std::chrono::milliseconds otherwise) {
  const std::chrono::milliseconds window = table.Duration(key, otherwise);
  if (window >= kMinWindow && window <= kMaxWindow) return window;
  table.Fault(key, "is out of range (10s to 366d)");
  return otherwise;
}

std::string Window(ConfigTable& table, std::string_view key, std::chrono::milliseconds otherwise) {
  return FormatDuration(WindowTime(table, key, otherwise));
}

// A value below or above a limit, and where it has recovered.
TypedRule Threshold(const std::string& value, std::string_view op, double limit,
                    std::optional<double> recover, const std::string& unless = "") {
  TypedRule rule;
  rule.expr = Must(fmt::format("{} {} {}{}", value, op, limit, unless));
  if (recover)
    rule.recover = Must(fmt::format("{} {} {}", value, op == "<" ? ">=" : "<=", *recover));
  return rule;
}

// `{ free_below = "10%", recover = "15%" }` of a part and its whole.
TypedRule FreeBelow(ConfigTable& table, const std::string& free, const std::string& whole,
                    bool only_percent, const std::string& unless = "") {
  const std::optional<Amount> limit = ReadAmount(table, "free_below", only_percent);
  std::optional<Amount> recover;
  if (table.Has("recover")) recover = ReadAmount(table, "recover", only_percent);
  if (!limit) return {};
  if (recover && (recover->percent != limit->percent || recover->value <= limit->value)) {
    table.Fault("recover", "must be of the kind of free_below, and above it");
    return {};
  }
  const std::string value = limit->percent ? fmt::format("100 * {} / {}", free, whole) : free;
  return Threshold(value, "<", limit->value, recover ? std::optional(recover->value) : std::nullopt,
                   unless);
}

// `{ above = .., recover = .. }`; `above` must be there.
TypedRule Above(ConfigTable& table, const std::string& value, std::string_view unit) {
  if (!table.Has("above")) {
    table.Fault(fmt::format("{}: \"above\" is missing ({})", table.Name(), unit));
    return {};
  }
  const double above = table.Number("above", 0);
  std::optional<double> recover;
  if (table.Has("recover")) recover = table.Number("recover", above);
  if (recover && *recover >= above) {
    table.Fault("recover", "must be below \"above\"");
    return {};
  }
  return Threshold(value, ">", above, recover);
}

std::vector<Matcher> MountMatchers(ConfigTable& table) {
  const std::string mount = table.String("mount");
  if (!mount.empty()) return {Equal("mountpoint", mount)};
  return {{Matcher::Kind::kNotRegex, "fstype", std::string(kFsTypesLeftOut)}};
}

std::string UnlessReadonly(const std::vector<Matcher>& mounts) {
  return fmt::format(" unless {} == 1", Select("node_filesystem_readonly", mounts));
}

TypedRule CompileDisk(ConfigTable table) {
  const std::vector<Matcher> mounts = MountMatchers(table);
  return FreeBelow(table, Select("node_filesystem_avail_bytes", mounts),
                   Select("node_filesystem_size_bytes", mounts), false, UnlessReadonly(mounts));
}

TypedRule CompileInode(ConfigTable table) {
  const std::vector<Matcher> mounts = MountMatchers(table);
  return FreeBelow(table, Select("node_filesystem_files_free", mounts),
                   Select("node_filesystem_files", mounts), true, UnlessReadonly(mounts));
}

// The straight line through the past of `over` meets zero within `within`.
TypedRule CompileDiskFullWithin(ConfigTable table) {
  const std::vector<Matcher> mounts = MountMatchers(table);
  if (!table.Has("within")) {
    table.Fault("disk_full_within: \"within\" is missing (write within = \"4h\")");
    return {};
  }
  // In seconds: as a number, a duration is known to Prometheus 3 only.
  const auto within_s = WindowTime(table, "within", std::chrono::hours(4)).count() / 1000;
  const std::string over = Window(table, "over", std::chrono::hours(1));
  return {Must(fmt::format("predict_linear({}[{}], {}) < 0{}",
                           Select("node_filesystem_avail_bytes", mounts), over, within_s,
                           UnlessReadonly(mounts))),
          nullptr,
          {}};
}

TypedRule CompileMemory(ConfigTable table) {
  return FreeBelow(table, "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes", false);
}

TypedRule CompileCpu(ConfigTable table) {
  const std::string over = Window(table, "over", std::chrono::minutes(5));
  return Above(table,
               fmt::format("100 * (1 - avg without (cpu, mode) "
                           "(rate(node_cpu_seconds_total{{mode=\"idle\"}}[{}])))",
                           over),
               "percent busy, of all processors");
}

TypedRule CompileLoad(ConfigTable table) {
  return Above(table,
               "node_load5 / count without (cpu, mode) "
               "(node_cpu_seconds_total{mode=\"idle\"})",
               "the load of 5 minutes for each processor");
}

TypedRule CompileDown(ConfigTable down) {
  const std::string job = down.String("job");
  const std::string probe = down.String("probe");
  const std::string process = down.String("process");
  if (!job.empty() && !probe.empty()) {
    down.Fault("probe", "takes either job or probe, not both");
    return {};
  }
  if (job.empty() && probe.empty() && process.empty()) {
    down.Fault("down: \"job\", \"probe\" or \"process\" is missing (write \"*\" for every one)");
    return {};
  }
  const auto all_or = [](const std::string& name, const std::string& value) {
    return value == "*" ? std::vector<Matcher>{} : std::vector<Matcher>{Equal(name, value)};
  };
  std::string look = Select("process_watch_up", all_or("process", process));
  std::string matching = "process";
  std::vector<Matcher> planned;
  if (!job.empty() || !probe.empty()) {
    look = job.empty() ? Select("probe_success", all_or("probe", probe))
                       : Select("up", all_or("job", job));
    if (!process.empty()) {
      planned = {Equal("process", process)};
      matching.clear();
    }
  }
  return {Must(fmt::format("{} == 0 unless on ({}) {} == 1", look, matching,
                           Select(kStopPlanned, planned))),
          nullptr,
          {}};
}

// The first of the certificates that a probe was shown ends within a time.
TypedRule CompileCertificate(ConfigTable table) {
  if (!table.Has("within")) {
    table.Fault("certificate: \"within\" is missing (write within = \"21d\")");
    return {};
  }
  const auto within_s = WindowTime(table, "within", std::chrono::hours(21 * 24)).count() / 1000;
  std::vector<Matcher> matchers;
  if (const std::string probe = table.String("probe"); !probe.empty())
    matchers.push_back(Equal("probe", probe));
  return {
      Must(fmt::format("{} - time() < {}",
                       Select("probe_ssl_earliest_cert_expiry", std::move(matchers)), within_s)),
      nullptr,
      {}};
}

TypedRule CompileHung(ConfigTable hung) {
  std::vector<Matcher> matchers = {Equal("state", "hung")};
  if (const std::string server = hung.String("server"); !server.empty())
    matchers.push_back(Equal("server", server));
  return {Must(Select("cloud_server_state", std::move(matchers)) + " == 1"), nullptr, {}};
}

// The metric at `key`, or "" where there is none or it is no metric name (a fault).
std::string ReadMetric(ConfigTable& table) {
  const std::string metric = table.String("metric");
  if (metric.empty() || promql::IsBareMetricName(metric)) return metric;
  table.Fault("metric", fmt::format("\"{}\" is no metric name", metric));
  return "";
}

// Twice the interval at which a device that sends seldom says it does, so that an hourly reading
// does not flap; no value where there is none.
std::optional<std::chrono::milliseconds> ReadLookBack(ConfigTable& table) {
  if (!table.Has("every")) return std::nullopt;
  const std::chrono::milliseconds every = table.Duration("every", std::chrono::minutes(1));
  if (every >= kMinWindow && every <= kMaxWindow / 2) return 2 * every;
  table.Fault("every", "is out of range (10s to 183d)");
  return std::nullopt;
}

// The readings of `metric`, or the last within `every` twice.
std::string LookBack(ConfigTable& table, const std::string& metric) {
  const auto window = ReadLookBack(table);
  return window ? fmt::format("last_over_time({}[{}])", metric, FormatDuration(*window)) : metric;
}

TypedRule CompileTemperature(ConfigTable table) {
  const std::string metric = ReadMetric(table);
  if (table.Has("metric"))
    return metric.empty() ? TypedRule() : Above(table, LookBack(table, metric), "degrees Celsius");
  if (!table.Has("above")) return Above(table, "", "degrees Celsius");  // Notes that.
  std::string any, recovered;
  for (const char* name : kTemperatures) {
    const TypedRule one = Above(table, LookBack(table, name), "degrees Celsius");
    if (one.expr == nullptr) return {};
    any += (any.empty() ? "" : " or ") + promql::ToString(*one.expr);
    if (one.recover != nullptr)
      recovered += (recovered.empty() ? "" : " or ") + promql::ToString(*one.recover);
  }
  return {Must(any), recovered.empty() ? nullptr : Must(recovered), {}};
}

TypedRule CompileAbsent(ConfigTable table) {
  if (!table.Has("metric")) table.Fault("absent: \"metric\" is missing");
  const std::string metric = ReadMetric(table);
  std::vector<Matcher> matchers;
  for (const auto& [name, value] : table.StringMap("labels")) {
    if (!promql::IsBareLabelName(name))
      table.Fault("labels", fmt::format("\"{}\" is no label name", name));
    matchers.push_back(Equal(name, value));
  }
  const auto window = ReadLookBack(table);
  if (metric.empty()) return {};
  const std::string selector = Select(metric, matchers);
  return {Must(window ? fmt::format("absent_over_time({}[{}])", selector, FormatDuration(*window))
                      : fmt::format("absent({})", selector)),
          nullptr, std::chrono::milliseconds(0)};
}

// A client that publishes must do so again within a time; counted by arrival, whatever times its
// samples have.
TypedRule CompileHeartbeat(ConfigTable table) {
  if (!table.Has("within")) {
    table.Fault("heartbeat: \"within\" is missing (write within = \"10m\")");
    return {};
  }
  const std::chrono::milliseconds within = WindowTime(table, "within", std::chrono::minutes(10));
  const std::string client = table.String("client");
  if (!client.empty()) {
    return {
        Must(fmt::format("absent_over_time({}[{}])",
                         Select(kLastArrival, {Equal("client", client)}), FormatDuration(within))),
        nullptr, within};
  }
  // Every client that was heard of in the last day, or in twice the time.
  const auto known = std::max<std::chrono::milliseconds>(std::chrono::hours(24), 2 * within);
  return {Must(fmt::format("time() - max by (client) (max_over_time({}[{}])) > {}", kLastArrival,
                           FormatDuration(known), std::chrono::duration<double>(within).count())),
          nullptr, within};
}

// A short time, five minutes or as long as the device needs, against the hour (`over`) before it.
TypedRule CompileJump(ConfigTable table) {
  if (!table.Has("metric")) table.Fault("jump: \"metric\" is missing");
  const std::string metric = ReadMetric(table);
  const auto over = WindowTime(table, "over", std::chrono::hours(1));
  const auto now = ReadLookBack(table).value_or(std::chrono::minutes(5));
  const double factor = table.Number("factor", 3);
  if (!(factor > 1)) table.Fault("factor", "must be above 1");
  if (over < now) table.Fault("over", "must be at least " + FormatDuration(now));
  if (metric.empty() || !(factor > 1)) return {};
  const std::string_view function = metric.ends_with("_total") ? "rate" : "avg_over_time";
  return {Must(fmt::format("{0}({1}[{2}]) > {3} * {0}({1}[{4}] offset {2})", function, metric,
                           FormatDuration(now), factor, FormatDuration(over))),
          nullptr,
          {}};
}

struct Kind {
  std::string name;
  TypedRule (*compile)(ConfigTable);
};

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = {{"absent", CompileAbsent},
                                          {"certificate", CompileCertificate},
                                          {"cpu", CompileCpu},
                                          {"disk", CompileDisk},
                                          {"disk_full_within", CompileDiskFullWithin},
                                          {"down", CompileDown},
                                          {"heartbeat", CompileHeartbeat},
                                          {"hung", CompileHung},
                                          {"inode", CompileInode},
                                          {"jump", CompileJump},
                                          {"load", CompileLoad},
                                          {"memory", CompileMemory},
                                          {"temperature", CompileTemperature}};
  return kinds;
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
    const Result<ExprPtr> both = promql::MakeBinary(
        BinaryOp::kOr, left, WithoutComparisons(binary.rhs, compared), binary.matching);
    return both ? *both : expr;
  }
  if (!promql::IsComparison(binary.op) || binary.return_bool) return expr;
  compared = true;
  return binary.lhs->type == promql::ValueType::kVector ? binary.lhs : binary.rhs;
}

}  // namespace

const std::vector<std::string>& TypedRuleKinds() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Kind& kind : Kinds()) all.push_back(kind.name);
    return all;
  }();
  return names;
}

TypedRule CompileTypedRule(std::string_view kind, ConfigTable& rule) {
  ConfigTable table = rule.Table(kind);
  if (rule.KindOf(kind) != ConfigTable::Kind::kTable) return {};  // Noted by Table.
  for (const Kind& each : Kinds()) {
    if (each.name == kind) return each.compile(table);
  }
  ATALAYA_CHECK(false);
  return {};
}

ExprPtr PresenceOf(const ExprPtr& expr) {
  bool compared = false;
  ExprPtr presence = WithoutComparisons(expr, compared);
  return compared ? presence : nullptr;
}

}  // namespace atalaya::alertd
