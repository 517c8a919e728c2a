#include "cloud_client/readings.h"

#include <optional>
#include <sstream>

#include "base/file.h"
#include "cloud_client/disk_reading.h"
#include "cloud_client/temperature_reading.h"

namespace atalaya::cloud_client {
namespace {

using Readings = Result<std::vector<Reading>>;
using std::filesystem::path;

tl::unexpected<Error> Unreadable(const path& file, std::string_view expected) {
  return Fail(ErrorCode::kInvalid, "{}: expected {}", file.string(), expected);
}

struct CpuTimes {
  std::uint64_t busy = 0;
  std::uint64_t total = 0;
};

// The first line: user nice system idle iowait irq softirq steal; guest times are within user's.
Result<CpuTimes> ReadCpuTimes(const path& file) {
  const Result<std::string> text = ReadFile(file);
  if (!text) return Forward(text.error());
  std::istringstream words(*text);
  std::string name;
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
  std::uint64_t steal = 0;
  words >> name >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal;
  if (!words || name != "cpu") return Unreadable(file, "a first line \"cpu\" and eight times");
  const std::uint64_t busy = user + nice + system + irq + softirq + steal;
  return CpuTimes{busy, busy + idle + iowait};
}

class CpuReading {
 public:
  explicit CpuReading(path file) : file_(std::move(file)) {}

  Readings operator()() {
    const Result<CpuTimes> now = ReadCpuTimes(file_);
    if (!now) return Forward(now.error());
    const std::optional<CpuTimes> before = std::exchange(before_, *now);
    // iowait may run backwards (proc(5)), and so the total.
    if (!before || now->total <= before->total || now->busy < before->busy) {
      return std::vector<Reading>();
    }
    const double share = static_cast<double>(now->busy - before->busy) /
                         static_cast<double>(now->total - before->total);
    return std::vector<Reading>{{"cpu", JsonObject().Add("used_share", share)}};
  }

 private:
  path file_;
  std::optional<CpuTimes> before_;
};

Readings ReadLoad(const path& file) {
  const Result<std::string> text = ReadFile(file);
  if (!text) return Forward(text.error());
  std::istringstream words(*text);
  double load1 = 0, load5 = 0, load15 = 0;
  if (!(words >> load1 >> load5 >> load15)) return Unreadable(file, "three load averages");
  return std::vector<Reading>{
      {"load", JsonObject().Add("1m", load1).Add("5m", load5).Add("15m", load15)}};
}

Readings ReadMemory(const path& file) {
  const Result<std::string> text = ReadFile(file);
  if (!text) return Forward(text.error());
  std::istringstream lines(*text);
  std::optional<std::uint64_t> total_kib;
  std::optional<std::uint64_t> available_kib;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t kib = 0;
    if (!(words >> name >> kib)) continue;
    if (name == "MemTotal:") total_kib = kib;
    if (name == "MemAvailable:") available_kib = kib;
  }
  if (!total_kib || !available_kib || *total_kib == 0 || *available_kib > *total_kib) {
    return Unreadable(file, "MemTotal, and MemAvailable of at most that");
  }
  const std::uint64_t used_bytes = (*total_kib - *available_kib) * 1024;
  const std::uint64_t total_bytes = *total_kib * 1024;
  const double share = static_cast<double>(used_bytes) / static_cast<double>(total_bytes);
  return std::vector<Reading>{{"memory", JsonObject()
                                             .Add("used_share", share)
                                             .Add("used_bytes", used_bytes)
                                             .Add("total_bytes", total_bytes)}};
}

Readings ReadUptime(const path& file) {
  const Result<std::string> text = ReadFile(file);
  if (!text) return Forward(text.error());
  std::istringstream words(*text);
  double seconds = 0;
  if (!(words >> seconds)) return Unreadable(file, "seconds");
  return std::vector<Reading>{{"uptime", JsonObject().Add("seconds", seconds)}};
}

}  // namespace

std::vector<ReadingKind> MachineReadings(const MachineRoots& roots) {
  return {
      {"cpu", CpuReading(roots.procfs / "stat")},
      {"disk", [roots] { return ReadDisks(roots); }},
      {"load", [file = roots.procfs / "loadavg"] { return ReadLoad(file); }},
      {"memory", [file = roots.procfs / "meminfo"] { return ReadMemory(file); }},
      {"temperature", [sysfs = roots.sysfs] { return ReadTemperatures(sysfs); }},
      {"uptime", [file = roots.procfs / "uptime"] { return ReadUptime(file); }},
  };
}

}  // namespace atalaya::cloud_client
