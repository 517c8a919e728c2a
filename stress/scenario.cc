#include "stress/scenario.h"

#include <algorithm>

#include "base/duration.h"
#include "stress/rate_plan.h"
#include "stress/stamp.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

template <typename... Args>
tl::unexpected<Error> Wrong(fmt::format_string<Args...> format, Args&&... args) {
  return Fail(ErrorCode::kInvalid, format, std::forward<Args>(args)...);
}

Status CheckFlow(const Flow& flow, const Scenario& scenario) {
  const auto in_range = [&](const char* key, std::int64_t value, std::int64_t min,
                            std::int64_t max) -> Status {
    if (value >= min && value <= max) return {};
    return Wrong("flow \"{}\": {} {} is out of range (write {} to {})", flow.name, key, value, min,
                 max);
  };
  for (const auto& [key, value] :
       {std::pair{"publishers", flow.publishers}, std::pair{"subscribers", flow.subscribers},
        std::pair{"idle", flow.idle}}) {
    if (Status good = in_range(key, value, 0, kMaxConnections); !good) return good;
  }
  if (Status good = in_range("topics", flow.topics, 1, kMaxConnections); !good) return good;
  if (Status good = in_range("qos", flow.qos, 0, 2); !good) return good;
  if (Status good = in_range("payload_bytes", flow.payload_bytes,
                             static_cast<std::int64_t>(kStampBytes), kMaxPayloadBytes);
      !good) {
    return good;
  }
  if (flow.connections() == 0) return Wrong("flow \"{}\" has nobody in it", flow.name);
  if (!(flow.rate_per_s >= 0 && flow.rate_per_s <= kMaxRatePerS)) {
    return Wrong("flow \"{}\": rate {} is out of range (write messages per second, up to {})",
                 flow.name, flow.rate_per_s, WordNumber(kMaxRatePerS));
  }
  if (flow.persistent && scenario.version != mqtt::Version::k5) {
    return Wrong(
        "flow \"{}\": persistent needs version \"5\", so that the server forgets its "
        "sessions afterwards",
        flow.name);
  }
  const bool pairs = flow.publishers == flow.subscribers && flow.publishers == flow.topics;
  if (scenario.arrivals == Arrivals::kClosed && flow.qos == 0 && flow.publishers > 0 &&
      (!pairs || flow.subscribe_all)) {
    return Wrong(
        "flow \"{}\": closed arrivals at qos 0 need a subscriber and a topic for each "
        "publisher, as its receipt lets the next message go",
        flow.name);
  }
  return {};
}

Status CheckPhases(const Scenario& scenario) {
  if (scenario.phases.empty() || scenario.phases.size() > kMaxPhases) {
    return Wrong("a scenario has 1 to {} phases, not {}", kMaxPhases, scenario.phases.size());
  }
  for (const Phase& phase : scenario.phases) {
    for (const double load : {phase.load_from, phase.load_to}) {
      if (!(load >= 0 && load <= kMaxLoad)) {
        return Wrong("phase \"{}\": load {} is out of range (write 0 to {})", phase.name, load,
                     kMaxLoad);
      }
    }
    if (phase.duration < kMinDuration) {
      return Wrong("phase \"{}\": {} is too short (write {} or more)", phase.name,
                   FormatDuration(phase.duration), FormatDuration(kMinDuration));
    }
  }
  if (scenario.duration() > kMaxDuration) {
    return Wrong("the phases last {} (at most {})", FormatDuration(scenario.duration()),
                 FormatDuration(kMaxDuration));
  }
  return {};
}

Status CheckVolume(const Scenario& scenario) {
  double messages = 0, deliveries = 0, highest = 0;
  for (const Phase& phase : scenario.phases) {
    highest = std::max({highest, phase.load_from, phase.load_to});
  }
  if (scenario.rate_per_s() * highest > kMaxRatePerS) {
    return Wrong("{} messages per second are planned (at most {})",
                 WordNumber(scenario.rate_per_s() * highest), WordNumber(kMaxRatePerS));
  }
  if (scenario.arrivals == Arrivals::kClosed) return {};  // Bounded as it runs.
  for (const Flow& flow : scenario.flows) {
    const double load_s = [&] {
      double sum = 0;
      for (const Phase& phase : scenario.phases) {
        sum += (phase.load_from + phase.load_to) / 2 *
               std::chrono::duration<double>(phase.duration).count();
      }
      return sum;
    }();
    messages += flow.rate_per_s * load_s;
    deliveries += flow.rate_per_s * load_s * std::max(flow.copies(), 1.0);
  }
  if (deliveries > kMaxDeliveries) {
    return Wrong("rate and duration make {} deliveries in all (at most {})", WordNumber(deliveries),
                 WordNumber(kMaxDeliveries));
  }
  if (scenario.rate_per_s() > 0 && messages < 1) {
    return Wrong("rate and duration make no message at all");
  }
  return {};
}

Status CheckFaults(const Scenario& scenario) {
  if (scenario.faults.size() > kMaxFaults) {
    return Wrong("a scenario has at most {} faults", kMaxFaults);
  }
  for (const Fault& fault : scenario.faults) {
    const std::string_view name = FaultName(fault.kind);
    if (fault.at.count() < 0 || fault.lasts.count() < 0 ||
        fault.at + fault.lasts > scenario.duration()) {
      return Wrong("fault \"{}\" at {} for {} does not end within the run of {}", name,
                   FormatDuration(fault.at), FormatDuration(fault.lasts),
                   FormatDuration(scenario.duration()));
    }
    if (fault.count < 1 || fault.count > kMaxFaultConnections) {
      return Wrong("fault \"{}\": count {} is out of range (write 1 to {})", name, fault.count,
                   kMaxFaultConnections);
    }
  }
  return {};
}

}  // namespace

std::int64_t Scenario::connections() const {
  std::int64_t count = 0;
  for (const Flow& flow : flows) count += flow.connections();
  return count;
}

std::chrono::milliseconds Scenario::duration() const {
  std::chrono::milliseconds sum{0};
  for (const Phase& phase : phases) sum += phase.duration;
  return sum;
}

double Scenario::rate_per_s() const {
  double sum = 0;
  for (const Flow& flow : flows) sum += flow.rate_per_s;
  return sum;
}

int Scenario::qos() const {
  int highest = 0;
  for (const Flow& flow : flows) highest = std::max(highest, flow.qos);
  return highest;
}

bool Scenario::HasProcessFaults() const {
  return std::any_of(faults.begin(), faults.end(),
                     [](const Fault& fault) { return fault.OnProcess(); });
}

Status CheckScenario(const Scenario& scenario) {
  if (scenario.flows.empty() || scenario.flows.size() > kMaxFlows) {
    return Wrong("a scenario has 1 to {} flows, not {}", kMaxFlows, scenario.flows.size());
  }
  for (const Flow& flow : scenario.flows) {
    if (Status good = CheckFlow(flow, scenario); !good) return good;
  }
  if (scenario.connections() > kMaxConnections) {
    return Wrong("{} connections (at most {})", scenario.connections(), kMaxConnections);
  }
  if (scenario.window < 1 || scenario.window > kMaxWindow) {
    return Wrong("window {} is out of range (write 1 to {})", scenario.window, kMaxWindow);
  }
  if (scenario.keep_alive.count() < 0 || scenario.keep_alive.count() > 65'535) {
    return Wrong("keep_alive is out of range (write 0s to 65535s)");
  }
  if (!(scenario.connect_rate_per_s >= 0 && scenario.connect_rate_per_s <= 1e6)) {
    return Wrong("connect_rate {} is out of range (write 0 to 1000000)",
                 scenario.connect_rate_per_s);
  }
  if (scenario.topic_prefix.empty() || scenario.topic_prefix.size() > 200 ||
      scenario.topic_prefix.find_first_of("+#$") != std::string::npos) {
    return Wrong("topic_prefix \"{}\" is no start of a topic (1 to 200 bytes without + # $)",
                 scenario.topic_prefix);
  }
  if (Status good = CheckPhases(scenario); !good) return good;
  if (Status good = CheckVolume(scenario); !good) return good;
  return CheckFaults(scenario);
}

std::string DescribeLoad(const Scenario& scenario) {
  std::string text;
  for (const Flow& flow : scenario.flows) {
    if (!text.empty()) text += "; ";
    if (scenario.flows.size() > 1) text += flow.name + ": ";
    if (flow.publishers > 0) {
      text +=
          scenario.arrivals == Arrivals::kClosed
              ? fmt::format("{} publishers with {} under way each",
                            WordCount(static_cast<std::uint64_t>(flow.publishers)), scenario.window)
              : fmt::format("{} messages/s from {} {}", WordNumber(flow.rate_per_s),
                            WordCount(static_cast<std::uint64_t>(flow.publishers)),
                            flow.publishers == 1 ? "publisher" : "publishers");
      text += fmt::format(" to {} {} over {} {}, {} B, QoS {}",
                          WordCount(static_cast<std::uint64_t>(flow.subscribers)),
                          flow.shared             ? "sharing subscribers"
                          : flow.subscribers == 1 ? "subscriber"
                                                  : "subscribers",
                          WordCount(static_cast<std::uint64_t>(flow.topics)),
                          flow.topics == 1 ? "topic" : "topics", flow.payload_bytes, flow.qos);
    }
    if (flow.idle > 0) {
      text += fmt::format("{}{} idle connections", flow.publishers > 0 ? ", " : "",
                          WordCount(static_cast<std::uint64_t>(flow.idle)));
    }
  }
  return text + ", " + FormatDuration(scenario.duration());
}

}  // namespace atalaya::stress
