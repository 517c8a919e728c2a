#include "alertd/metrics.h"

#include "telemetry/text_writer.h"

namespace atalaya::alertd {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

double Seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000; }

void One(TextWriter& page, std::string_view name, MetricType type, std::string_view help,
         double value) {
  page.Family(name, type, help);
  page.Sample("", value);
}

void WriteProgram(TextWriter& page, const MetricsInput& input) {
  One(page, "cloud_alertd_start_time_seconds", MetricType::kGauge,
      "When the program began, Unix time.", Seconds(input.started_ms));
  One(page, "cloud_alertd_config_last_reload_successful", MetricType::kGauge,
      "Whether the last attempt to read the configuration succeeded.",
      input.reload_successful ? 1 : 0);
  One(page, "cloud_alertd_config_last_reload_success_timestamp_seconds", MetricType::kGauge,
      "When a configuration was last taken over, Unix time.", Seconds(input.reload_success_ms));
}

void Count(TextWriter& page, std::string_view name, std::string_view help, std::uint64_t value) {
  page.Family(name, MetricType::kCounter, help);
  page.Sample("", value);
}

void WriteScrapes(TextWriter& page, const ScrapeFigures& scrapes) {
  Count(page, "cloud_alertd_scrapes_total", "Scrapes, well or not.", scrapes.scrapes);
  page.Family("cloud_alertd_scrapes_failed_total", MetricType::kCounter,
              "Scrapes that failed, by reason.");
  for (std::size_t i = 0; i < kScrapeFaultNames.size(); ++i)
    page.Sample(LabelText("reason", kScrapeFaultNames[i]).text(), scrapes.failed[i]);
  Count(page, "cloud_alertd_scrapes_missed_total",
        "Scrapes left out because the one before, or the machine, took too long.", scrapes.missed);
  Count(page, "cloud_alertd_scrape_body_bytes_total",
        "Bytes of the pages that were read, unpacked.", scrapes.body_bytes);
  One(page, "cloud_alertd_target_files_broken", MetricType::kGauge,
      "Files of targets that cannot be read now; what they held before stays.",
      static_cast<double>(scrapes.broken_files));
  One(page, "cloud_alertd_targets_left_out", MetricType::kGauge,
      "Scrape targets that are faulty, or more than are allowed.",
      static_cast<double>(scrapes.left_out));
}

void WriteProbes(TextWriter& page, const ProbeFigures& probes) {
  Count(page, "cloud_alertd_probes_total", "Looks of probes, well or not.", probes.looks);
  page.Family("cloud_alertd_probes_failed_total", MetricType::kCounter,
              "Looks of probes that failed, by reason.");
  for (std::size_t i = 0; i < kProbeFaultNames.size(); ++i)
    page.Sample(LabelText("reason", kProbeFaultNames[i]).text(), probes.failed[i]);
}

void WriteTelemetry(TextWriter& page, const TelemetryFigures& telemetry) {
  Count(page, "cloud_alertd_telemetry_packets_total", "Telemetry packets that came.",
        telemetry.packets);
  page.Family("cloud_alertd_telemetry_refused_total", MetricType::kCounter,
              "Telemetry packets refused, by reason.");
  page.Sample(LabelText("reason", "unreadable").text(), telemetry.unreadable);
  page.Sample(LabelText("reason", "limit").text(), telemetry.over_limit);
  One(page, "cloud_alertd_telemetry_clients", MetricType::kGauge,
      "Clients whose telemetry or presence is kept in mind.",
      static_cast<double>(telemetry.clients));
  One(page, "cloud_alertd_telemetry_series", MetricType::kGauge, "Series of these clients.",
      static_cast<double>(telemetry.series));
}

void WriteCollect(TextWriter& page, const CollectFigures& collect) {
  page.Family("cloud_alertd_targets", MetricType::kGauge,
              "Scrape targets, probes, processes and the telemetry session, by health.");
  for (const TargetHealth health :
       {TargetHealth::kUnknown, TargetHealth::kUp, TargetHealth::kDown}) {
    page.Sample(LabelText("health", TargetHealthName(health)).text(),
                collect.targets[static_cast<std::size_t>(health)]);
  }
  WriteScrapes(page, collect.scrapes);
  WriteProbes(page, collect.probes);
  WriteTelemetry(page, collect.telemetry);
  Count(page, "cloud_alertd_samples_total", "Samples given to the history.", collect.samples);
  One(page, "cloud_alertd_queued_batches", MetricType::kGauge,
      "Batches of samples that wait for the history.", static_cast<double>(collect.queued_batches));
  Count(page, "cloud_alertd_dropped_batches_total",
        "Batches of samples dropped because the history was too slow.", collect.dropped_batches);
}

void WriteRules(TextWriter& page, const RuleTotals& rules) {
  One(page, "cloud_alertd_rules", MetricType::kGauge, "Rules loaded.",
      static_cast<double>(rules.rules));
  One(page, "cloud_alertd_rules_failing", MetricType::kGauge, "Rules whose last evaluation failed.",
      static_cast<double>(rules.failing));
  One(page, "cloud_alertd_rule_evaluation_seconds", MetricType::kGauge,
      "Time that the last evaluation of the rules that were due took.",
      std::chrono::duration<double>(rules.evaluation_time).count());
  One(page, "cloud_alertd_rule_last_evaluation_timestamp_seconds", MetricType::kGauge,
      "When the rules were last evaluated, Unix time.", Seconds(rules.evaluated_at_ms));
  page.Family("cloud_alertd_alerts", MetricType::kGauge, "Alerts by state.");
  page.Sample(LabelText("state", "pending").text(), rules.pending);
  page.Sample(LabelText("state", "firing").text(), rules.firing);
}

void WriteNotices(TextWriter& page, const std::vector<ReceiverCounters>& receivers) {
  struct Column {
    std::string_view name;
    MetricType type;
    std::string_view help;
    std::uint64_t ReceiverCounters::*value;
  };
  const Column columns[] = {
      {"cloud_alertd_notices_sent_total", MetricType::kCounter, "Notices that a receiver accepted.",
       &ReceiverCounters::sent},
      {"cloud_alertd_notices_failed_total", MetricType::kCounter,
       "Notices that a receiver refused for good.", &ReceiverCounters::failed},
      {"cloud_alertd_notices_retried_total", MetricType::kCounter,
       "Attempts that failed and are made again.", &ReceiverCounters::retried},
      {"cloud_alertd_notices_dropped_total", MetricType::kCounter,
       "Notices given up for a limit or because their receiver is gone.",
       &ReceiverCounters::dropped},
      {"cloud_alertd_notices_waiting", MetricType::kGauge, "Notices in the outbox.",
       &ReceiverCounters::waiting},
  };
  for (const Column& column : columns) {
    page.Family(column.name, column.type, column.help);
    for (const ReceiverCounters& receiver : receivers)
      page.Sample(LabelText("receiver", receiver.receiver).text(), receiver.*column.value);
  }
}

void WriteLag(TextWriter& page, const LagHistograms& stages) {
  page.Family("cloud_alertd_notice_lag_seconds", MetricType::kHistogram,
              "How long accepted notices took, by stage; from the event, its retries included, in "
              "total.");
  for (std::size_t stage = 0; stage < kLagStages.size(); ++stage) {
    const LagHistogram& histogram = stages[stage];
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
      count += histogram.buckets[i];
      LabelText labels("stage", kLagStages[stage]);
      labels.Add("le", i < kLagBounds.size() ? fmt::format("{}", kLagBounds[i]) : "+Inf");
      page.SuffixedSample("_bucket", labels.text(), static_cast<double>(count));
    }
    const LabelText labels("stage", kLagStages[stage]);
    page.SuffixedSample("_sum", labels.text(), histogram.sum_s);
    page.SuffixedSample("_count", labels.text(), static_cast<double>(count));
  }
}

void WritePulse(TextWriter& page, const PulseFigures& pulse) {
  page.Family("cloud_alertd_heartbeats_total", MetricType::kCounter,
              "Requests to the heartbeat's address, by outcome.");
  page.Sample(LabelText("outcome", "answered").text(), pulse.heartbeats_sent);
  page.Sample(LabelText("outcome", "failed").text(), pulse.heartbeats_failed);
}

void WritePosted(TextWriter& page, const PostedFigures& posted) {
  Count(page, "cloud_alertd_posted_alerts_total", "Alerts that others posted.", posted.accepted);
  Count(page, "cloud_alertd_posted_alerts_refused_total",
        "Posted alerts, or whole requests, that were refused.", posted.refused);
  One(page, "cloud_alertd_posted_alerts_firing", MetricType::kGauge, "Posted alerts that fire.",
      static_cast<double>(posted.firing));
}

}  // namespace

void WriteMetrics(telemetry::TextWriter& page, const MetricsInput& input) {
  WriteProgram(page, input);
  WriteCollect(page, input.collect);
  WriteRules(page, input.rules);
  WriteNotices(page, input.receivers);
  WriteLag(page, input.lag);
  WritePulse(page, input.pulse);
  WritePosted(page, input.posted);
}

}  // namespace atalaya::alertd
