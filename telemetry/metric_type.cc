#include "telemetry/metric_type.h"

namespace atalaya::telemetry {

std::string_view ContentType(TextFormat format) {
  return format == TextFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

TextFormat FormatOfContentType(std::string_view content_type) {
  return content_type.starts_with("application/openmetrics-text") ? TextFormat::kOpenMetrics
                                                                  : TextFormat::kPrometheus;
}

std::string_view MetricTypeName(MetricType type, TextFormat format) {
  switch (type) {
    case MetricType::kUntyped:
      return format == TextFormat::kOpenMetrics ? "unknown" : "untyped";
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
    case MetricType::kSummary:
      return "summary";
    case MetricType::kInfo:
      return format == TextFormat::kOpenMetrics ? "info" : "gauge";
    case MetricType::kStateSet:
      return format == TextFormat::kOpenMetrics ? "stateset" : "gauge";
    case MetricType::kGaugeHistogram:
      return format == TextFormat::kOpenMetrics ? "gaugehistogram" : "histogram";
  }
  return "";
}

}  // namespace atalaya::telemetry
