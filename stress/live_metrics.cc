#include "stress/live_metrics.h"

#include "telemetry/text_writer.h"

namespace atalaya::stress {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;

constexpr double kBucketsS[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};

}  // namespace

Result<std::unique_ptr<LiveMetrics>> LiveMetrics::Start(const HostPort& listen) {
  std::unique_ptr<LiveMetrics> metrics(new LiveMetrics());
  HttpServerOptions options;
  options.listen = {listen};
  options.threads = 4;
  Result<std::unique_ptr<HttpServer>> server =
      HttpServer::Start(options, [raw = metrics.get()](const HttpRequest& request) {
        if (request.path != "/metrics")
          return HttpResponse{404, "text/plain", "try /metrics\n", {}};
        return HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", raw->Page(), {}};
      });
  if (!server) return Forward(server.error());
  metrics->server_ = std::move(*server);
  return metrics;
}

void LiveMetrics::SetWanted(std::uint64_t connections) {
  const std::lock_guard lock(mutex_);
  wanted_ = connections;
}

void LiveMetrics::SetConnections(std::int64_t ready, std::uint64_t failed) {
  const std::lock_guard lock(mutex_);
  ready_ = ready;
  failed_ = failed;
}

void LiveMetrics::Add(const IntervalFigures& second, std::uint64_t planned) {
  const std::lock_guard lock(mutex_);
  sum_.Merge(second);
  sum_.load_ns = 0;
  planned_ += planned;
}

std::string LiveMetrics::Page() const {
  const std::lock_guard lock(mutex_);
  telemetry::TextWriter page(telemetry::TextFormat::kPrometheus);
  const auto counter = [&page](std::string_view name, std::string_view help, auto value) {
    page.Family(name, MetricType::kCounter, help);
    page.Sample("", value);
  };
  counter("cloud_stress_messages_planned_total", "Messages that fell due.", planned_);
  counter("cloud_stress_messages_sent_total", "Messages published.", sum_.sent);
  counter("cloud_stress_deliveries_total", "First copies received by subscribers.", sum_.received);
  counter("cloud_stress_connection_failures_total", "Connections that failed.", failed_);
  counter("cloud_stress_generator_cpu_seconds_total", "CPU time of the generator's threads.",
          static_cast<double>(sum_.cpu_ns) / 1e9);
  page.Family("cloud_stress_bytes_total", MetricType::kCounter, "Bytes of PUBLISH packets.");
  page.Sample(LabelText("direction", "out").text(), sum_.bytes_out);
  page.Sample(LabelText("direction", "in").text(), sum_.bytes_in);
  page.Family("cloud_stress_connections", MetricType::kGauge, "Connections that are ready.");
  page.Sample("", ready_);
  page.Family("cloud_stress_connections_wanted", MetricType::kGauge, "Connections of the run.");
  page.Sample("", wanted_);
  page.Family("cloud_stress_response_seconds", MetricType::kHistogram,
              "Time from a message's intended send to its receipt.");
  for (const double bound : kBucketsS) {
    std::string text;
    telemetry::AppendNumber(text, bound);
    page.SuffixedSample(
        "_bucket", LabelText("le", text).text(),
        static_cast<double>(sum_.response.CountAtMost(static_cast<std::int64_t>(bound * 1e9))));
  }
  const auto count = static_cast<double>(sum_.response.count());
  page.SuffixedSample("_bucket", LabelText("le", "+Inf").text(), count);
  page.SuffixedSample("_sum", "", sum_.response.MeanNs() * count / 1e9);
  page.SuffixedSample("_count", "", count);
  return page.Take();
}

}  // namespace atalaya::stress
