#include <gtest/gtest.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "telemetry/text_writer.h"

namespace atalaya::telemetry {
namespace {

// Sorted: the two write a histogram's sum, count and buckets in different orders.
std::vector<std::string> Lines(const std::string& page) {
  std::vector<std::string> lines;
  std::istringstream in(page);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::string AsPrometheusCpp(const std::vector<prometheus::MetricFamily>& families) {
  return prometheus::TextSerializer().Serialize(families);
}

prometheus::MetricFamily Family(const std::string& name, prometheus::MetricType type,
                                const std::string& help) {
  prometheus::MetricFamily family;
  family.name = name;
  family.type = type;
  family.help = help;
  return family;
}

// prometheus-cpp writes numbers with 16 digits and an exponent of its own: those here are spelled
// alike by both.
constexpr double kNumbers[] = {0, 1, -3, 0.25, 1234567, -0.5, HUGE_VAL, -HUGE_VAL};

TEST(TextWriterOracle, WritesCountersAndGaugesAsPrometheusCppDoes) {
  prometheus::MetricFamily counter =
      Family("a_total", prometheus::MetricType::Counter, "Packets, with spaces.");
  prometheus::MetricFamily gauge = Family("b_bytes", prometheus::MetricType::Gauge, "Bytes.");
  TextWriter writer(TextFormat::kPrometheus);
  writer.Family("a_total", MetricType::kCounter, "Packets, with spaces.");
  for (const std::string value : {"plain", "quote\" back\\slash line\nend", "\xc3\xa9", ""}) {
    prometheus::ClientMetric metric;
    metric.label = {{"device", value}, {"mode", "idle"}};
    metric.counter.value = 7;
    counter.metric.push_back(metric);
    writer.Sample(LabelText("device", value).Add("mode", "idle").text(), 7);
  }
  writer.Family("b_bytes", MetricType::kGauge, "Bytes.");
  for (const double number : kNumbers) {
    prometheus::ClientMetric metric;
    metric.gauge.value = number;
    gauge.metric.push_back(metric);
    writer.Sample("", number);
  }
  EXPECT_EQ(Lines(writer.text()), Lines(AsPrometheusCpp({counter, gauge})));
}

TEST(TextWriterOracle, WritesHistogramsAsPrometheusCppDoes) {
  prometheus::MetricFamily family =
      Family("lag_seconds", prometheus::MetricType::Histogram, "Lag.");
  prometheus::ClientMetric metric;
  metric.label = {{"loop", "0"}};
  metric.histogram.sample_count = 5;
  metric.histogram.sample_sum = 1.5;
  metric.histogram.bucket = {{2, 0.25}, {5, HUGE_VAL}};
  family.metric.push_back(metric);

  TextWriter writer(TextFormat::kPrometheus);
  writer.Family("lag_seconds", MetricType::kHistogram, "Lag.");
  const LabelText loop("loop", "0");
  writer.SuffixedSample("_bucket", LabelText(loop).Add("le", "0.25").text(), 2);
  writer.SuffixedSample("_bucket", LabelText(loop).Add("le", "+Inf").text(), 5);
  writer.SuffixedSample("_sum", loop.text(), 1.5);
  writer.SuffixedSample("_count", loop.text(), 5);
  EXPECT_EQ(Lines(writer.text()), Lines(AsPrometheusCpp({family})));
}

}  // namespace
}  // namespace atalaya::telemetry
