#include "stress/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "stress/wording.h"

namespace atalaya::stress {
namespace {

Validity Worse(Validity a, Validity b) { return std::max(a, b); }

Check CheckSent(const RunRecord& record) {
  const std::uint64_t sent = record.ledger.sent;
  const double share =
      record.planned == 0 ? 1 : static_cast<double>(sent) / static_cast<double>(record.planned);
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
  const std::int64_t response_ns = record.messages.response.PercentileNs(99);
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

// Messages, where the scenario has any; else connections.
Check CheckMeasured(const RunRecord& record) {
  const bool publishes = record.planned > 0;
  const std::uint64_t measured = publishes ? record.ledger.received : record.totals.connected;
  return {publishes ? "Messages measured" : "Connections measured", WordCount(measured),
          "at least 1", measured > 0 ? Validity::kValid : Validity::kInvalid};
}

Check CheckLocal(const RunRecord& record) {
  const auto local = static_cast<std::size_t>(FailureClass::kLocal);
  const std::uint64_t count = record.Failures()[local];
  return {"Connections lost to this machine's own limits", WordCount(count), "0",
          count == 0 ? Validity::kValid : Validity::kInvalid};
}

std::string Failures(const RunRecord& record) {
  std::string text;
  for (std::size_t i = 0; i < kFailureClasses; ++i) {
    const std::uint64_t count = record.Failures()[i];
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", WordCount(count), kFailureNames[i]);
  }
  return text;
}

std::string Damage(const LedgerFigures& ledger) {
  std::string text;
  const auto add = [&text](std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", WordCount(count), what);
  };
  add(ledger.lost(), "lost");
  add(ledger.doubled_wrongly, "duplicated");
  add(ledger.corrupted, "corrupted");
  return text;
}

std::string Sentence(const RunRecord& record) {
  const LedgerFigures& ledger = record.ledger;
  const std::string failures = Failures(record);
  const std::string failed =
      failures.empty() ? "" : fmt::format("; connections failed: {}", failures);
  if (record.totals.connected == 0) {
    return fmt::format("no connection to {} could be opened, so nothing was measured{}",
                       record.scenario.target.ToString(), failed);
  }
  if (record.planned == 0) {
    return fmt::format("{} of {} connections were ready after {} (p99 {} each) and held for {}{}",
                       WordCount(record.totals.connected), WordCount(record.totals.wanted),
                       WordSeconds(record.connect_ns),
                       WordLatency(record.totals.connect.PercentileNs(99)),
                       WordSeconds(record.load_ns), failed);
  }
  const std::string damage = Damage(ledger);
  const std::uint64_t excused = ledger.lost_in_faults + ledger.lost_unconfirmed;
  return fmt::format(
      "{} messages and {} deliveries per second over {} connections for {}: p50 {}, p99 {} from "
      "the "
      "intended send time; {}{}{}",
      WordNumber(record.PerSecond(ledger.sent)), WordNumber(record.PerSecond(ledger.received)),
      WordCount(record.totals.connected), WordSeconds(record.load_ns),
      WordLatency(record.messages.response.PercentileNs(50)),
      WordLatency(record.messages.response.PercentileNs(99)),
      !damage.empty() ? damage
      : excused > 0
          ? fmt::format("nothing was lost but {} deliveries around faults", WordCount(excused))
          : "every message sent arrived once and intact",
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
  const LedgerFigures& ledger = record.ledger;
  if (ledger.received > 0 && ledger.missing() > 0) {
    notes.push_back(
        fmt::format("The latencies are those of the {} messages that arrived; {} never did.",
                    WordCount(ledger.received), WordCount(ledger.missing())));
  }
  if (ledger.lost_unconfirmed > 0) {
    notes.push_back(fmt::format(
        "{} deliveries are missing of messages that the server never acknowledged: it owes nothing "
        "for them.",
        WordCount(ledger.lost_unconfirmed)));
  }
  if (record.totals.refused_publishes > 0) {
    notes.push_back(fmt::format("The server refused {} messages with a reason.",
                                WordCount(record.totals.refused_publishes)));
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

bool Verdict::missed() const {
  return !regressions.empty() ||
         std::any_of(objectives.begin(), objectives.end(),
                     [](const ObjectiveResult& result) { return !result.met; });
}

int Verdict::ExitCode() const {
  if (target_failed) return kExitTargetFailed;
  if (validity == Validity::kInvalid) return kExitInvalid;
  if (missed()) return kExitMissed;
  return validity == Validity::kDegraded ? kExitDegraded : 0;
}

Verdict Judge(const RunRecord& record) {
  Verdict verdict;
  verdict.checks = {CheckSent(record), CheckLag(record), CheckCpu(record), CheckMeasured(record),
                    CheckLocal(record)};
  for (const Check& check : verdict.checks) {
    verdict.validity = Worse(verdict.validity, check.result);
  }
  const std::uint64_t local = record.Failures()[static_cast<std::size_t>(FailureClass::kLocal)];
  verdict.target_failed = record.FailureCount() > local || !Damage(record.ledger).empty();
  verdict.objectives = Weigh(record);
  verdict.notes = Notes(record);
  verdict.sentence = Sentence(record);
  return verdict;
}

}  // namespace atalaya::stress
