#include <sys/timex.h>

#include <array>
#include <cerrno>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;

constexpr double kTimexMicrosecond = 1e-6;
constexpr double kTimexNanosecond = 1e-9;
constexpr double kTimexPpm = 65536e6;  // adjtimex(2) gives parts per million, scaled by 2^16.

struct TimexFigure {
  FamilyInfo family;
  double (*value)(const timex& now, double unit);  // `unit`: seconds in one of its offsets.
};

constexpr std::array<TimexFigure, 16> kTimexFigures = {{
    {{"node_timex_estimated_error_seconds", MetricType::kGauge, "Estimated error of the clock."},
     [](const timex& t, double) { return static_cast<double>(t.esterror) * kTimexMicrosecond; }},
    {{"node_timex_frequency_adjustment_ratio", MetricType::kGauge,
      "How much faster the clock is made to run."},
     [](const timex& t, double) { return 1 + static_cast<double>(t.freq) / kTimexPpm; }},
    {{"node_timex_loop_time_constant", MetricType::kGauge, "Time constant of the clock's loop."},
     [](const timex& t, double) { return static_cast<double>(t.constant); }},
    {{"node_timex_maxerror_seconds", MetricType::kGauge, "Largest possible error of the clock."},
     [](const timex& t, double) { return static_cast<double>(t.maxerror) * kTimexMicrosecond; }},
    {{"node_timex_offset_seconds", MetricType::kGauge, "How far the clock is from its reference."},
     [](const timex& t, double unit) { return static_cast<double>(t.offset) * unit; }},
    {{"node_timex_pps_calibration_total", MetricType::kCounter,
      "Calibrations by the pulse per second."},
     [](const timex& t, double) { return static_cast<double>(t.calcnt); }},
    {{"node_timex_pps_error_total", MetricType::kCounter,
      "Failed calibrations by the pulse per second."},
     [](const timex& t, double) { return static_cast<double>(t.errcnt); }},
    {{"node_timex_pps_frequency_hertz", MetricType::kGauge, "Frequency by the pulse per second."},
     [](const timex& t, double) { return static_cast<double>(t.ppsfreq) / kTimexPpm; }},
    {{"node_timex_pps_jitter_seconds", MetricType::kGauge, "Jitter of the pulse per second."},
     [](const timex& t, double unit) { return static_cast<double>(t.jitter) * unit; }},
    {{"node_timex_pps_jitter_total", MetricType::kCounter,
      "How often the jitter of the pulse per second was too large."},
     [](const timex& t, double) { return static_cast<double>(t.jitcnt); }},
    {{"node_timex_pps_shift_seconds", MetricType::kGauge,
      "Interval between calibrations by the pulse per second."},
     [](const timex& t, double) { return static_cast<double>(t.shift); }},
    {{"node_timex_pps_stability_exceeded_total", MetricType::kCounter,
      "How often the pulse per second was not steady enough."},
     [](const timex& t, double) { return static_cast<double>(t.stbcnt); }},
    {{"node_timex_pps_stability_hertz", MetricType::kGauge,
      "How steady the pulse per second is, on average."},
     [](const timex& t, double) { return static_cast<double>(t.stabil) / kTimexPpm; }},
    {{"node_timex_status", MetricType::kGauge, "Status bits of the clock: adjtimex(2)."},
     [](const timex& t, double) { return static_cast<double>(t.status); }},
    {{"node_timex_tai_offset_seconds", MetricType::kGauge, "How far TAI is ahead of UTC."},
     [](const timex& t, double) { return static_cast<double>(t.tai); }},
    {{"node_timex_tick_seconds", MetricType::kGauge, "Seconds between ticks of the clock."},
     [](const timex& t, double) { return static_cast<double>(t.tick) * kTimexMicrosecond; }},
}};
constexpr FamilyInfo kTimexSync = {"node_timex_sync_status", MetricType::kGauge,
                                   "Whether the clock follows a reliable one."};

class Timex final : public Collector {
 public:
  Status Collect(telemetry::TextWriter& out) override {
    timex now{};
    const int state = adjtimex(&now);
    if (state < 0) {
      return Fail(errno == EPERM ? ErrorCode::kNotFound : ErrorCode::kIo, "adjtimex: {}",
                  ErrnoText(errno));
    }
    const double unit = (now.status & STA_NANO) != 0 ? kTimexNanosecond : kTimexMicrosecond;
    for (const TimexFigure& figure : kTimexFigures) {
      out.Family(figure.family.name, figure.family.type, figure.family.help);
      out.Sample("", figure.value(now, unit));
    }
    out.Family(kTimexSync.name, kTimexSync.type, kTimexSync.help);
    out.Sample("", state == TIME_ERROR ? 0 : 1);
    return {};
  }
};

}  // namespace

CollectorResult CreateTimex(const CollectorOptions&) { return std::make_unique<Timex>(); }

}  // namespace atalaya::exporter
