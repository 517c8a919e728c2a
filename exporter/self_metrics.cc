#include "exporter/self_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/file.h"
#include "base/version.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr double kMicrosecond = 1e-6;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * kMicrosecond;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double ResidentBytes() {
  const std::string content = ReadFile("/proc/self/statm").value_or("");
  std::string_view line = content;
  TakeWord(line);
  return ParseNumber<double>(TakeWord(line)).value_or(0) *
         static_cast<double>(sysconf(_SC_PAGESIZE));
}

// One registry family as a page has it. prometheus-cpp's own serializer has no OpenMetrics.
void WriteFamily(const prometheus::MetricFamily& family, TextWriter& page) {
  const bool counter = family.type == prometheus::MetricType::Counter;
  page.Family(family.name, counter ? MetricType::kCounter : MetricType::kGauge, family.help);
  for (const prometheus::ClientMetric& metric : family.metric) {
    LabelText labels;
    for (const auto& label : metric.label) labels.Add(label.name, label.value);
    page.Sample(labels.text(), counter ? metric.counter.value : metric.gauge.value);
  }
}

}  // namespace

struct SelfMetrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& scrapes = prometheus::BuildCounter()
                                                         .Name("cloud_exporter_scrapes_total")
                                                         .Help("Scrapes answered, by outcome.")
                                                         .Register(registry);
  prometheus::Counter& good = scrapes.Add({{"outcome", "success"}});
  prometheus::Counter& bad = scrapes.Add({{"outcome", "failure"}});
  prometheus::Counter& time = prometheus::BuildCounter()
                                  .Name("cloud_exporter_scrape_seconds_total")
                                  .Help("Time that all scrapes took together.")
                                  .Register(registry)
                                  .Add({});
  prometheus::Gauge& build = prometheus::BuildGauge()
                                 .Name("cloud_exporter_build_info")
                                 .Help("The version of this program, as a label.")
                                 .Register(registry)
                                 .Add({{"version", kVersion}});
  prometheus::Gauge& start = prometheus::BuildGauge()
                                 .Name("process_start_time_seconds")
                                 .Help("When this program was started, in seconds since 1970.")
                                 .Register(registry)
                                 .Add({});
};

SelfMetrics::SelfMetrics() : impl_(std::make_unique<Impl>()) {
  impl_->build.Set(1);
  impl_->start.Set(static_cast<double>(SystemClock().NowMs()) / 1000);
}
SelfMetrics::~SelfMetrics() = default;

void SelfMetrics::CountScrape(bool success, std::chrono::nanoseconds duration) {
  (success ? impl_->good : impl_->bad).Increment();
  impl_->time.Increment(std::chrono::duration<double>(duration).count());
}

void SelfMetrics::Write(TextWriter& page) const {
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  std::sort(families.begin(), families.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const prometheus::MetricFamily& family : families) WriteFamily(family, page);
  page.Family("process_cpu_seconds_total", MetricType::kCounter, "CPU time this program used.");
  page.Sample("", CpuSeconds());
  page.Family("process_resident_memory_bytes", MetricType::kGauge,
              "Memory of this program that is in RAM.");
  page.Sample("", ResidentBytes());
}

}  // namespace atalaya::exporter
