#include "stress/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "stress/wording.h"

namespace atalaya::stress {
namespace {

Validity Worse(Validity a, Validity b) { return std::max(a, b); }

Check CheckSent(const RunRecord& record) {
  const std::uint64_t sent = record.totals.ledger.sent;
  const double share =
      record.planned == 0 ? 0 : static_cast<double>(sent) / static_cast<double>(record.planned);
  Check check{"Sent of planned",
              fmt::format("{} of {} ({})", WordCount(sent), WordCount(record.planned),
                          WordPercent(100 * share)),
              fmt::format("at least {:.0f} %", 100 * kDegradedSentShare), Validity::kValid};
  if (share < kDegradedSentShare) check.result = Validity::kDegraded;
  if (share < kInvalidSentShare) check.result = Validity::kInvalid;
  return check;
}

Check CheckLag(const RunRecord& record) {
  const std::int64_t lag_ns = record.totals.attend_lag.PercentileNs(99);
  const std::int64_t response_ns = record.totals.response.PercentileNs(99);
  Check check{"Generator lag, p99", WordLatency(lag_ns),
              fmt::format("at most {}, and under half of the response time where over {}",
                          WordLatency(kDegradedLagNs), WordLatency(kNoticeableLagNs)),
              Validity::kValid};
  const bool most = lag_ns > kNoticeableLagNs && lag_ns > response_ns / 2;
  if (lag_ns > kDegradedLagNs || most) check.result = Validity::kDegraded;
  if (lag_ns > kInvalidLagNs) check.result = Validity::kInvalid;
  return check;
}

Check CheckCpu(const RunRecord& record) {
  double busiest = 0;
  for (const double percent : record.worker_cpu_percent) busiest = std::max(busiest, percent);
  return {"CPU of the busiest generator thread", WordPercent(busiest),
          fmt::format("under {}", WordPercent(kDegradedCpuPercent)),
          busiest < kDegradedCpuPercent ? Validity::kValid : Validity::kDegraded};
}

Check CheckReceived(const RunRecord& record) {
  const std::uint64_t received = record.totals.ledger.received;
  return {"Messages measured", WordCount(received), "at least 1",
          received > 0 ? Validity::kValid : Validity::kInvalid};
}

Check CheckLocal(const RunRecord& record) {
  const auto local = static_cast<std::size_t>(FailureClass::kLocal);
  const std::uint64_t count = record.totals.failures[local];
  return {"Connections lost to this machine's own limits", WordCount(count), "0",
          count == 0 ? Validity::kValid : Validity::kInvalid};
}

std::string Failures(const RunRecord& record) {
  std::string text;
  for (std::size_t i = 0; i < kFailureClasses; ++i) {
    const std::uint64_t count = record.totals.failures[i];
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", WordCount(count), kFailureNames[i]);
  }
  return text;
}

std::string Damage(const LedgerFigures& ledger, int qos) {
  std::string text;
  const auto add = [&text](std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", WordCount(count), what);
  };
  add(ledger.lost(), "lost");
  if (qos == 0) add(ledger.duplicated, "duplicated");
  add(ledger.corrupted, "corrupted");
  return text;
}

std::string Sentence(const RunRecord& record) {
  const LedgerFigures& ledger = record.totals.ledger;
  const std::string failures = Failures(record);
  const std::string failed =
      failures.empty() ? "" : fmt::format("; connections failed: {}", failures);
  if (record.totals.connected == 0) {
    return fmt::format("no connection to {} could be opened, so nothing was measured{}",
                       record.scenario.target.ToString(), failed);
  }
  const double seconds = static_cast<double>(record.load_ns) / 1e9;
  const std::string damage = Damage(ledger, record.scenario.qos);
  return fmt::format(
      "{} messages per second over {} {} for {}: p50 {}, p99 {} from the intended send time; "
      "{}{}{}",
      WordNumber(seconds > 0 ? static_cast<double>(ledger.sent) / seconds : 0),
      WordCount(static_cast<std::uint64_t>(record.scenario.clients)),
      record.scenario.clients == 1 ? "pair" : "pairs", WordSeconds(record.load_ns),
      WordLatency(record.totals.response.PercentileNs(50)),
      WordLatency(record.totals.response.PercentileNs(99)),
      damage.empty() ? "every message sent arrived once and intact" : damage,
      record.target_lost ? "; the target went away" : "", failed);
}

std::vector<std::string> Notes(const RunRecord& record) {
  std::vector<std::string> notes;
  if (record.environment.co_located) {
    notes.emplace_back(
        "Generator and target share this machine's CPUs: the load takes from the server what it "
        "measures, so the server alone would do better.");
  }
  if (record.interrupted) {
    notes.push_back(
        fmt::format("The run was interrupted after {}: these are the figures until then.",
                    WordSeconds(record.load_ns)));
  }
  if (record.target_lost) {
    notes.push_back(fmt::format("Every publisher was lost after {}, and the load ended there.",
                                WordSeconds(record.load_ns)));
  }
  if (record.totals.held_back > 0) {
    notes.push_back(fmt::format(
        "{} messages waited for the server to read or acknowledge before they could be sent; their "
        "latency counts from the intended send time all the same.",
        WordCount(record.totals.held_back)));
  }
  const LedgerFigures& ledger = record.totals.ledger;
  if (ledger.received > 0 && ledger.lost() > 0) {
    notes.push_back(
        fmt::format("The latencies are those of the {} messages that arrived; {} never did.",
                    WordCount(ledger.received), WordCount(ledger.lost())));
  }
  if (!record.server_note.empty()) {
    notes.push_back("No figures of the server: " + record.server_note + ".");
  }
  return notes;
}

}  // namespace

std::string_view ValidityName(Validity validity) {
  switch (validity) {
    case Validity::kValid:
      return "VALID";
    case Validity::kDegraded:
      return "DEGRADED";
    case Validity::kInvalid:
      return "INVALID";
  }
  return "";
}

int Verdict::ExitCode() const {
  if (target_failed) return kExitTargetFailed;
  if (validity == Validity::kInvalid) return kExitInvalid;
  return validity == Validity::kDegraded ? kExitDegraded : 0;
}

Verdict Judge(const RunRecord& record) {
  Verdict verdict;
  verdict.checks = {CheckSent(record), CheckLag(record), CheckCpu(record), CheckReceived(record),
                    CheckLocal(record)};
  for (const Check& check : verdict.checks) {
    verdict.validity = Worse(verdict.validity, check.result);
  }
  const FailureCounts& failures = record.totals.failures;
  const std::uint64_t all = std::accumulate(failures.begin(), failures.end(), std::uint64_t{0});
  const std::uint64_t local = failures[static_cast<std::size_t>(FailureClass::kLocal)];
  verdict.target_failed = all > local || !Damage(record.totals.ledger, record.scenario.qos).empty();
  verdict.notes = Notes(record);
  verdict.sentence = Sentence(record);
  return verdict;
}

}  // namespace atalaya::stress
