#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/metric_type.h"
#include "telemetry/sample.h"

namespace atalaya::telemetry {

struct TextReaderOptions {
  TextFormat format = TextFormat::kPrometheus;
  std::int64_t time_ms = 0;      // Of samples that carry no timestamp: when the scrape began.
  bool honor_timestamps = true;  // False: all samples get `time_ms`.
  std::size_t sample_limit = 1'000'000;
  std::size_t label_limit = 64;  // Labels of one sample, the metric name not counted.
  std::size_t line_limit_bytes = 65536;
};

// What "# TYPE", "# HELP" and "# UNIT" said of one family.
struct FamilyMetadata {
  std::string name;  // As written: OpenMetrics leaves out a counter's "_total".
  MetricType type = MetricType::kUntyped;
  std::string help;
  std::string unit;
};

struct TextPage {
  std::vector<LabelledSample> samples;   // In the page's order; doubled series are not looked for.
  std::vector<FamilyMetadata> families;  // Each name once, in order of first mention.
};

// Reads a page of metrics: the Prometheus text format 0.0.4, or OpenMetrics 1.0 (which must end in
// "# EOF"; exemplars are checked and left out). All or nothing, as Prometheus takes a scrape: the
// first bad line fails the page with kInvalid, `line 12: "1.2.3" is not a number`; a limit that is
// passed fails it with kLimit. Values are read as Go reads them (NaN, +Inf, 1e3). Nothing in `page`
// is trusted.
// Threads: any. Source: the Prometheus exposition formats documentation; OpenMetrics 1.0.0.
Result<TextPage> ReadTextPage(std::string_view page, const TextReaderOptions& options);

}  // namespace atalaya::telemetry
