#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "telemetry/labels.h"
#include "telemetry/metric_type.h"

namespace atalaya::telemetry {

struct TextLimits {
  std::size_t labels = 64;  // Of one sample, the metric name not counted.
  std::size_t line_bytes = 65536;
};

// What "# TYPE", "# HELP" and "# UNIT" said of one family.
struct FamilyMetadata {
  std::string name;  // As written: OpenMetrics leaves out a counter's "_total".
  MetricType type = MetricType::kUntyped;
  std::string help;
  std::string unit;

  friend auto operator<=>(const FamilyMetadata&, const FamilyMetadata&) = default;
};

struct ScannedSample {
  // The series as it stands in the page, `requests_total{code="200"}`: known to end there, not
  // looked into further. Within one format the same bytes are the same series.
  std::string_view series;
  double value = 0;
  std::optional<std::int64_t> time_ms;  // Where the line says one.
};

// Goes through a page of metrics sample by sample and copies nothing: the Prometheus text format
// 0.0.4, or OpenMetrics 1.0 (which must end in "# EOF"; exemplars are checked and left out). The
// first bad line ends it with kInvalid, `line 12: "1.2.3" is not a number`; a limit that is passed
// with kLimit. Values are read as Go reads them (NaN, +Inf, 1e3). Nothing in `page` is trusted.
// Threads: one at a time.
// Source: the Prometheus exposition formats documentation; OpenMetrics 1.0.0.
class TextScanner {
 public:
  // `page` and `families` outlive it. `families`, where given, gets each name once, in order of
  // first mention.
  TextScanner(std::string_view page, TextFormat format, TextLimits limits = {},
              std::vector<FamilyMetadata>* families = nullptr);

  // Reads on to the next sample; false at the end of the page, or where it is bad. `expected` is a
  // guess at its series: where it is right, the line's beginning is compared and not read.
  bool Next(std::string_view expected, ScannedSample& sample);
  const Status& status() const { return status_; }  // Once Next returned false.

  // Of all TYPE, HELP and UNIT lines so far: pages that say the same of their families have the
  // same. Read at the end of the page it tells cheaply whether they are worth reading again.
  std::size_t families_hash() const { return families_hash_; }

  // The labels of the sample that Next gave last, kMetricName first, then as they stand: an empty
  // value is still there. For each new series once.
  Result<std::vector<Labels::Pair>> ReadSeries(std::string_view series) const;

 private:
  tl::unexpected<Error> Bad(std::string_view what) const;
  bool ReadLine(std::string_view line, std::string_view expected, ScannedSample& sample);
  Status ReadComment(std::string_view line);
  Status SetFamily(std::string_view name, std::string_view keyword, std::string_view text);
  std::string_view SeriesOf(std::string_view line) const;
  Status ReadSample(std::string_view line, std::string_view expected, ScannedSample& sample);

  std::string_view page_;
  const bool open_metrics_;
  const TextLimits limits_;
  std::vector<FamilyMetadata>* const families_;
  std::unordered_map<std::string, std::size_t> family_index_;
  std::size_t families_hash_ = 0;
  std::size_t line_number_ = 0;
  bool ended_ = false;
  Status status_;
};

}  // namespace atalaya::telemetry
