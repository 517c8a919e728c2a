#include "exporter/cpu_facts.h"

#include <map>
#include <set>

#include "base/file.h"
#include "exporter/device_folder.h"
#include "exporter/sample_sheet.h"
#include "exporter/scrape_context.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr unsigned kMaxIsolatedCpu = 65535;

std::string_view CpuinfoValue(const std::map<std::string_view, std::string_view>& fields,
                              std::string_view key) {
  const auto found = fields.find(key);
  return found == fields.end() ? std::string_view() : found->second;
}

std::string CpuinfoLabels(const std::map<std::string_view, std::string_view>& fields) {
  LabelText labels("cachesize", CpuinfoValue(fields, "cache size"));
  labels.Add("core", CpuinfoValue(fields, "core id"));
  labels.Add("cpu", CpuinfoValue(fields, "processor"));
  labels.Add("family", CpuinfoValue(fields, "cpu family"));
  labels.Add("microcode", CpuinfoValue(fields, "microcode"));
  labels.Add("model", CpuinfoValue(fields, "model"));
  labels.Add("model_name", CpuinfoValue(fields, "model name"));
  labels.Add("package", CpuinfoValue(fields, "physical id"));
  labels.Add("stepping", CpuinfoValue(fields, "stepping"));
  labels.Add("vendor", CpuinfoValue(fields, "vendor_id"));
  return std::string(labels.text());
}

}  // namespace

Result<CpuFacts> CpuFacts::Create(const CollectorOptions& options) {
  CpuFacts facts(options);
  Result<NameFilter> flags =
      NameFilter::Create(options.cpu_flags_include, "collector.cpu.info.flags-include");
  if (!flags) return Forward(flags.error());
  Result<NameFilter> bugs =
      NameFilter::Create(options.cpu_bugs_include, "collector.cpu.info.bugs-include");
  if (!bugs) return Forward(bugs.error());
  facts.flags_ = std::move(*flags);
  facts.bugs_ = std::move(*bugs);
  return facts;
}

CpuFacts::CpuFacts(const CollectorOptions& options)
    : folder_(options.sysfs / "devices/system/cpu"),
      cpuinfo_(options.procfs / "cpuinfo"),
      info_(options.cpu_info || !options.cpu_flags_include.empty() ||
            !options.cpu_bugs_include.empty()),
      context_(options.context) {}

void CpuFacts::Write(TextWriter& out) {
  const std::uint64_t generation = context_ ? context_->facts_generation() : 0;
  if (generation == 0 || generation != generation_) {
    FindThrottles();
    isolated_ = ReadTrimmed(folder_ / "isolated").value_or("");
  }
  generation_ = generation;
  WriteThrottles(out);
  if (info_) WriteInfo(out);
  WriteIsolated(out);
}

// Each core and each package once: the CPUs of one share its counter.
void CpuFacts::FindThrottles() {
  cores_.clear();
  packages_.clear();
  std::set<std::string> seen;
  for (const NumberedName& cpu : ListNumbered(folder_, "cpu")) {
    const std::filesystem::path folder = folder_ / cpu.name;
    const auto package = ReadTrimmed(folder / "topology/physical_package_id");
    const auto core = ReadTrimmed(folder / "topology/core_id");
    if (!package || !core) continue;
    const std::string of_core(LabelText("core", *core).Add("package", *package).text());
    const std::string of_package(LabelText("package", *package).text());
    const std::filesystem::path core_count = folder / "thermal_throttle/core_throttle_count";
    const std::filesystem::path package_count = folder / "thermal_throttle/package_throttle_count";
    std::error_code error;
    if (std::filesystem::exists(core_count, error) && seen.insert(of_core).second)
      cores_.push_back({of_core, KernelFile(core_count, FileShape::kWhole)});
    if (std::filesystem::exists(package_count, error) && seen.insert(of_package).second)
      packages_.push_back({of_package, KernelFile(package_count, FileShape::kWhole)});
  }
}

void CpuFacts::WriteThrottles(TextWriter& out) {
  const auto write = [&](std::vector<Throttle>& throttles) {
    for (Throttle& throttle : throttles) {
      const Result<std::string_view> content = throttle.count.Read();
      const auto value = content ? ParseValue<std::uint64_t>(TrimSpace(*content)) : std::nullopt;
      if (value) out.Sample(throttle.labels, *value);
    }
  };
  out.Family("node_cpu_core_throttles_total", MetricType::kCounter,
             "How often a core was slowed down for its heat.");
  write(cores_);
  out.Family("node_cpu_package_throttles_total", MetricType::kCounter,
             "How often a package was slowed down for its heat.");
  write(packages_);
}

void CpuFacts::WriteInfo(TextWriter& out) const {
  const std::string content = ReadFile(cpuinfo_).value_or("");
  std::string_view rest = content;
  std::map<std::string_view, std::string_view> fields;
  std::set<std::string_view> flags;
  std::set<std::string_view> bugs;
  std::vector<std::string> cpus;
  const auto end_cpu = [&] {
    if (fields.contains("processor")) cpus.push_back(CpuinfoLabels(fields));
    fields.clear();
  };
  while (!rest.empty()) {
    const std::string_view line = TakeLine(rest);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      end_cpu();
      continue;
    }
    const std::string_view key = TrimSpace(line.substr(0, colon));
    std::string_view value = TrimSpace(line.substr(colon + 1));
    fields[key] = value;
    if (key != "flags" && key != "bugs") continue;
    for (std::string_view word = TakeWord(value); !word.empty(); word = TakeWord(value)) {
      if ((key == "flags" ? flags_ : bugs_).Matches(word))
        (key == "flags" ? flags : bugs).insert(word);
    }
  }
  end_cpu();
  out.Family("node_cpu_bug_info", MetricType::kGauge, "Known faults of the CPUs.");
  for (const std::string_view bug : bugs) out.Sample(LabelText("bug", bug).text(), 1);
  out.Family("node_cpu_flag_info", MetricType::kGauge, "Abilities of the CPUs.");
  for (const std::string_view flag : flags) out.Sample(LabelText("flag", flag).text(), 1);
  out.Family("node_cpu_info", MetricType::kGauge, "Make and model of a CPU.");
  for (const std::string& labels : cpus) out.Sample(labels, 1);
}

// "2-3,7"
void CpuFacts::WriteIsolated(TextWriter& out) const {
  std::string_view rest = isolated_;
  out.Family("node_cpu_isolated", MetricType::kGauge, "CPUs kept free of the scheduler.");
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view range = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const std::size_t dash = range.find('-');
    const auto first = ParseNumber<unsigned>(range.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : ParseNumber<unsigned>(range.substr(dash + 1));
    if (!first || !last || *last > kMaxIsolatedCpu) continue;
    for (unsigned cpu = *first; cpu <= *last; ++cpu)
      out.Sample(LabelText("cpu", std::to_string(cpu)).text(), 1);
  }
}

}  // namespace atalaya::exporter
