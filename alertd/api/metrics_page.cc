// /metrics: what cloud_alertd counts of itself.

#include "alertd/api/handlers.h"
#include "base/version.h"
#include "telemetry/text_writer.h"

namespace atalaya::alertd {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextFormat;
using telemetry::TextWriter;

void WriteRefused(TextWriter& page, const history::StoreStats& stats) {
  page.Family("cloud_alertd_history_samples_refused_total", MetricType::kCounter,
              "Samples that the history did not take, by reason.");
  const std::pair<std::string_view, std::uint64_t> reasons[] = {
      {"ahead", stats.refused_ahead},
      {"conflict", stats.refused_conflict},
      {"labels", stats.refused_labels},
      {"series_limit", stats.refused_series},
      {"too_old", stats.refused_too_old}};
  for (const auto& [reason, count] : reasons) {
    page.Sample(LabelText("reason", reason).text(), count);
  }
  page.Family("cloud_alertd_history_samples_dropped_total", MetricType::kCounter,
              "Samples lost while the disk failed: never saved, or pushed out of memory.");
  page.Sample(LabelText("from", "disk").text(), stats.dropped_unsaved);
  page.Sample(LabelText("from", "memory").text(), stats.dropped_memory);
}

void WriteStore(TextWriter& page, const history::StoreStats& stats) {
  page.Family("cloud_alertd_history_samples_total", MetricType::kCounter,
              "Samples taken into the history.");
  page.Sample("", stats.accepted);
  page.Family("cloud_alertd_history_samples_repeated_total", MetricType::kCounter,
              "Samples that the history had already.");
  page.Sample("", stats.repeated);
  WriteRefused(page, stats);
  page.Family("cloud_alertd_history_series", MetricType::kGauge, "Series in the history.");
  page.Sample("", stats.series);
  page.Family("cloud_alertd_history_file_bytes", MetricType::kGauge,
              "Bytes of the history's file in use; free pages are used again.");
  page.Sample("", stats.file_bytes);
  page.Family("cloud_alertd_history_head_samples", MetricType::kGauge,
              "Samples in memory that are not in a chunk yet.");
  page.Sample("", stats.head_samples);
  page.Family("cloud_alertd_history_saving", MetricType::kGauge,
              "1 while samples reach the disk, 0 while they are kept in memory only.");
  page.Sample("", stats.saving ? 1 : 0);
  page.Family("cloud_alertd_history_write_failures_total", MetricType::kCounter,
              "Transactions of the history that failed.");
  page.Sample("", stats.write_failures);
  page.Family("cloud_alertd_history_read_failures_total", MetricType::kCounter,
              "Reads of the history that failed.");
  page.Sample("", stats.read_failures);
  page.Family("cloud_alertd_history_damaged_rows_total", MetricType::kCounter,
              "Rows of the history that were passed over because they were damaged.");
  page.Sample("", stats.damaged_rows);
  page.Family("cloud_alertd_history_files_set_aside_total", MetricType::kCounter,
              "Broken files that were replaced by new ones.");
  page.Sample("", stats.files_set_aside);
  page.Family("cloud_alertd_history_chunks_expired_total", MetricType::kCounter,
              "Chunks removed for their age.");
  page.Sample("", stats.retention_removed);
}

}  // namespace

HttpResponse AnswerMetrics(const ApiContext& context, const std::string& accept) {
  constexpr std::string_view kOpenMetrics = "application/openmetrics-text";
  const bool open = accept.find(kOpenMetrics) != std::string::npos &&
                    AcceptQuality(accept, kOpenMetrics) >= AcceptQuality(accept, "text/plain");
  TextWriter page(open ? TextFormat::kOpenMetrics : TextFormat::kPrometheus);
  page.Family("cloud_alertd_build_info", MetricType::kGauge, "Always 1; the version is a label.");
  page.Sample(LabelText("version", kVersion).text(), 1);
  WriteStore(page, context.options.store->Stats());
  context.refusals.Write(page);
  if (context.options.metrics) context.options.metrics(page);
  page.EndPage();
  return {200, std::string(ContentType(page.format())), page.Take(), {}};
}

}  // namespace atalaya::alertd
