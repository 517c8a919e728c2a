#pragma once

#include <cstdint>
#include <string_view>

namespace atalaya::telemetry {

// What a family of series measures. The last three exist in OpenMetrics only.
enum class MetricType : std::uint8_t {
  kUntyped,  // "unknown" in OpenMetrics.
  kCounter,
  kGauge,
  kHistogram,
  kSummary,
  kInfo,
  kStateSet,
  kGaugeHistogram,
};

// The two ways a page of metrics is written.
enum class TextFormat : std::uint8_t { kPrometheus, kOpenMetrics };

// "text/plain; version=0.0.4; charset=utf-8", or OpenMetrics 1.0.0's.
std::string_view ContentType(TextFormat format);

// The format that a Content-Type header announces; anything but OpenMetrics is read as text 0.0.4,
// as Prometheus does.
TextFormat FormatOfContentType(std::string_view content_type);

// As "# TYPE" spells it in that format.
std::string_view MetricTypeName(MetricType type, TextFormat format);

}  // namespace atalaya::telemetry
