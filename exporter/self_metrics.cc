#include "exporter/self_metrics.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/version.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

double SecondsOf(const timeval& time) {
  constexpr double kMicrosecond = 1e-6;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * kMicrosecond;
}

template <typename T>
void WriteOne(TextWriter& page, std::string_view name, MetricType type, std::string_view help,
              T value) {
  page.Family(name, type, help);
  page.Sample("", value);
}

}  // namespace

SelfMetrics::SelfMetrics()
    : started_s_(static_cast<double>(SystemClock().NowMs()) / 1000),
      page_bytes_(static_cast<double>(sysconf(_SC_PAGESIZE))) {}

void SelfMetrics::CountScrape(std::chrono::nanoseconds duration) {
  ++scrapes_;
  seconds_ += std::chrono::duration<double>(duration).count();
}

void SelfMetrics::Write(TextWriter& page) {
  page.Family("cloud_exporter_build_info", MetricType::kGauge,
              "The version of this program, as a label.");
  page.Sample(LabelText("version", kVersion).text(), 1);
  WriteOne(page, "cloud_exporter_scrape_seconds_total", MetricType::kCounter,
           "Time that all scrapes took together.", seconds_);
  WriteOne(page, "cloud_exporter_scrapes_total", MetricType::kCounter, "Scrapes answered.",
           scrapes_);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  WriteOne(page, "process_cpu_seconds_total", MetricType::kCounter, "CPU time this program used.",
           SecondsOf(usage.ru_utime) + SecondsOf(usage.ru_stime));
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  WriteOne(page, "process_max_fds", MetricType::kGauge,
           "File descriptors this program may have open.", files.rlim_cur);
  struct stat open_files {};
  // Since Linux 6.2 the size of that folder is how many there are; older kernels say 0.
  if (stat("/proc/self/fd", &open_files) == 0 && open_files.st_size > 0) {
    WriteOne(page, "process_open_fds", MetricType::kGauge,
             "File descriptors this program has open.", open_files.st_size);
  }
  const Result<std::string_view> statm = statm_.Read();
  std::string_view words = statm.value_or("");
  const auto virtual_pages = ParseNumber<double>(TakeWord(words));
  const auto resident_pages = ParseNumber<double>(TakeWord(words));
  if (resident_pages) {
    WriteOne(page, "process_resident_memory_bytes", MetricType::kGauge,
             "Memory of this program that is in RAM.", *resident_pages * page_bytes_);
  }
  WriteOne(page, "process_start_time_seconds", MetricType::kGauge,
           "When this program was started, in seconds since 1970.", started_s_);
  if (virtual_pages) {
    WriteOne(page, "process_virtual_memory_bytes", MetricType::kGauge,
             "Address space of this program.", *virtual_pages * page_bytes_);
  }
}

}  // namespace atalaya::exporter
