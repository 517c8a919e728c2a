#include "stress/capacity.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "stress/wording.h"

namespace atalaya::stress {
namespace {

constexpr double kFineEnough = 1.08;  // Between a rate that failed and one that did not.
constexpr double kStepDown = 0.93;
constexpr double kBusyShare = 0.85;  // Of the CPUs there are.
constexpr double kLowestRatePerS = 10;

Probe Summarize(double rate_per_s, const CapacityPlan& plan, const RunRecord& record) {
  Probe probe;
  probe.rate_per_s = rate_per_s;
  probe.delivered_per_s = record.PerSecond(record.messages.received);
  probe.p50_ns = record.messages.response.PercentileNs(50);
  probe.p99_ns = record.messages.response.PercentileNs(99);
  probe.lost = record.ledger.lost();
  probe.failures = record.FailureCount();
  double server = 0;
  int seconds = 0;
  for (const TimelineRow& row : record.timeline) {
    if (row.drain || !row.server) continue;
    server += row.server->cpu_percent;
    ++seconds;
  }
  if (seconds > 0) probe.server_cpu_percent = server / seconds;
  for (const double percent : record.worker_cpu_percent) {
    probe.generator_cpu_percent += percent;
    probe.busiest_thread_percent = std::max(probe.busiest_thread_percent, percent);
  }
  probe.validity = Judge(record).validity;
  probe.met = probe.validity != Validity::kInvalid;
  if (!probe.met) probe.missed = "the generator could not keep the plan";
  for (const Objective& objective : plan.objectives) {
    const ObjectiveResult result = WeighOne(objective, record);
    if (result.met) continue;
    if (probe.met) probe.missed = fmt::format("{}: {}", objective.text, result.measured);
    probe.met = false;
  }
  return probe;
}

// What was in short supply at the lowest rate that failed (or at the highest that was tried).
std::string NameLimit(const CapacityRecord& record, int cpus) {
  const Probe* at = nullptr;
  for (const Probe& probe : record.probes) {
    const bool fits = record.at_limit ? probe.met : !probe.met;
    const bool better = at == nullptr || (record.at_limit ? probe.rate_per_s > at->rate_per_s
                                                          : probe.rate_per_s < at->rate_per_s);
    if (fits && better) at = &probe;
  }
  if (at == nullptr) return "";
  if (record.at_limit) return "the highest rate that was allowed (--max-rate)";
  const double all = 100 * cpus;
  const double server = std::max(at->server_cpu_percent, 0.0);
  if (server >= kBusyShare * all) {
    return fmt::format("the server's CPU ({} of {:.0f} %)", WordPercent(server), all);
  }
  if (server + at->generator_cpu_percent >= kBusyShare * all) {
    return fmt::format("this machine's CPU, which server ({}) and generator ({}) share",
                       WordPercent(server), WordPercent(at->generator_cpu_percent));
  }
  if (at->busiest_thread_percent >= kDegradedCpuPercent) {
    return fmt::format("the generator's CPU ({} of one thread), so the server may do more",
                       WordPercent(at->busiest_thread_percent));
  }
  if (at->validity != Validity::kValid) {
    return "the generator, which ran late, so the server may do more";
  }
  if (server >= 100 * kBusyShare) {
    return fmt::format("one CPU of the server's ({} in all)", WordPercent(server));
  }
  if (at->lost > 0) return "what the server's queues hold: it drops messages with CPU to spare";
  if (at->failures > 0) return "connections that the server ended";
  return fmt::format("waiting, not CPU (server {}, generator {} of {:.0f} %)", WordPercent(server),
                     WordPercent(at->generator_cpu_percent), all);
}

std::string Sentence(const CapacityRecord& record) {
  if (record.interrupted) return "The search was interrupted before it had an answer.";
  if (record.capacity_per_s == 0) {
    const Probe& last = record.probes.back();
    return fmt::format("No rate down to {} messages per second meets {} ({}).",
                       WordNumber(last.rate_per_s), record.plan.slo, last.missed);
  }
  const auto worst = std::max_element(
      record.probes.begin(), record.probes.end(), [&](const Probe& a, const Probe& b) {
        const auto key = [&](const Probe& probe) {
          return probe.met && probe.rate_per_s == record.capacity_per_s ? probe.p99_ns : -1;
        };
        return key(a) < key(b);
      });
  return fmt::format(
      "{}{} messages per second ({} deliveries) meet {} in each of {} runs, p99 {} at most; the "
      "limit is {}{}.",
      record.at_limit ? "At least " : "", WordNumber(record.capacity_per_s),
      WordNumber(worst->delivered_per_s), record.plan.slo, record.plan.repetitions,
      WordLatency(worst->p99_ns), record.limit,
      record.knee_per_s > 0
          ? fmt::format("; latency turns up at about {}", WordNumber(record.knee_per_s))
          : "");
}

class Search {
 public:
  Search(const CapacityPlan& plan, const ProbeRun& run) : run_(run) { record_.plan = plan; }

  Result<CapacityRecord> Find(double first_rate_per_s, int cpus) {
    double rate = std::min(first_rate_per_s, record_.plan.max_rate_per_s);
    double good = 0, bad = 0;
    if (Status done = Bracket(rate, &good, &bad); !done) return Forward(done.error());
    while (Goes() && good > 0 && bad > 0 && bad / good > kFineEnough) {
      const double middle = (good + bad) / 2;
      const Result<bool> met = Try(middle, false);
      if (!met) return Forward(met.error());
      (*met ? good : bad) = middle;
    }
    if (Status done = Confirm(good); !done) return Forward(done.error());
    record_.at_limit = record_.capacity_per_s >= record_.plan.max_rate_per_s;
    record_.limit = NameLimit(record_, cpus);
    record_.knee_per_s = FindKnee(record_.probes);
    record_.sentence = Sentence(record_);
    return std::move(record_);
  }

 private:
  bool Goes() const {
    return !record_.interrupted && record_.probes.size() < static_cast<std::size_t>(kMaxProbes);
  }

  Result<bool> Try(double rate_per_s, bool repetition) {
    const Result<RunRecord> run = run_(rate_per_s);
    if (!run) return Forward(run.error());
    if (run->interrupted) {
      record_.interrupted = true;
      return false;
    }
    record_.probes.push_back(Summarize(rate_per_s, record_.plan, *run));
    record_.probes.back().repetition = repetition;
    return record_.probes.back().met;
  }

  // Up by doubling, or down by halving where the first rate fails.
  Status Bracket(double rate, double* good, double* bad) {
    while (Goes()) {
      const Result<bool> met = Try(rate, false);
      if (!met) return Forward(met.error());
      (*met ? *good : *bad) = rate;
      if ((*good > 0 && *bad > 0) || *good == record_.plan.max_rate_per_s) return {};
      if (*good == 0 && rate / 2 < kLowestRatePerS) return {};
      rate = *good > 0 ? std::min(rate * 2, record_.plan.max_rate_per_s) : rate / 2;
    }
    return {};
  }

  Status Confirm(double rate) {
    while (Goes() && rate >= kLowestRatePerS) {
      std::int64_t met_runs = 0;
      while (Goes() && met_runs < record_.plan.repetitions) {
        const Result<bool> met = Try(rate, true);
        if (!met) return Forward(met.error());
        if (!*met) break;
        ++met_runs;
      }
      if (met_runs == record_.plan.repetitions) {
        record_.capacity_per_s = rate;
        return {};
      }
      rate *= kStepDown;
    }
    return {};
  }

  const ProbeRun& run_;
  CapacityRecord record_;
};

}  // namespace

Result<CapacityRecord> FindCapacity(const CapacityPlan& plan, double first_rate_per_s, int cpus,
                                    const ProbeRun& run) {
  return Search(plan, run).Find(first_rate_per_s, cpus);
}

double FindKnee(const std::vector<Probe>& probes) {
  std::map<double, std::int64_t> worst;  // By rate.
  for (const Probe& probe : probes) {
    if (probe.p99_ns == 0) continue;
    std::int64_t& p99_ns = worst[probe.rate_per_s];
    p99_ns = std::max(p99_ns, probe.p99_ns);
  }
  if (worst.size() < 4) return 0;
  const auto [first_rate, first_ns] = *worst.begin();
  const auto [last_rate, last_ns] = *worst.rbegin();
  if (last_ns <= first_ns) return 0;
  double knee = 0, farthest = 0;
  for (const auto& [rate, p99_ns] : worst) {
    const double x = (rate - first_rate) / (last_rate - first_rate);
    const double y =
        static_cast<double>(p99_ns - first_ns) / static_cast<double>(last_ns - first_ns);
    if (x - y > farthest) {
      farthest = x - y;
      knee = rate;
    }
  }
  return knee;
}

}  // namespace atalaya::stress
