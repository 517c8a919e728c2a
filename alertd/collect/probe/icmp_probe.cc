// An ICMP echo request is answered.

#include "alertd/collect/probe/name_lookup.h"
#include "alertd/collect/probe/probe.h"
#include "alertd/collect/probe/probe_tools.h"
#include "base/duration.h"

namespace atalaya::alertd {
namespace {

class IcmpProbe final : public Probe {
 public:
  IcmpProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events)
      : Probe(std::move(events)), config_(config), tools_(tools), lookup_(tools.side) {}
  ~IcmpProbe() override { Forget(); }

  void Begin() override {
    begin_ns_ = found_ns_ = sent_ns_ = tools_.clock.SteadyNs();
    timer_ = tools_.loop.RunAfter(config_.timeout, [this] {
      Finish(ProbeFault{ProbeFaultKind::kTimeout,
                        fmt::format("no reply within {}", FormatDuration(config_.timeout))});
    });
    lookup_.Begin(config_.address,
                  [this](const NameLookup::Addresses& addresses) { Found(addresses); });
  }

 private:
  void Found(const NameLookup::Addresses& addresses) {
    if (!addresses) return Finish(ProbeFault{ProbeFaultKind::kResolve, addresses.error().message});
    found_ns_ = sent_ns_ = tools_.clock.SteadyNs();
    const Result<std::uint64_t> sent =
        tools_.pinger.Send(addresses->front().host, [this] { Finish(std::nullopt); });
    if (!sent) {
      return Finish(ProbeFault{sent.error().code == ErrorCode::kRefused
                                   ? ProbeFaultKind::kSystem
                                   : ProbeFaultKind::kConnection,
                               sent.error().message});
    }
    ping_ = *sent;
    sent_ns_ = tools_.clock.SteadyNs();
  }

  void Finish(std::optional<ProbeFault> fault) {
    const std::int64_t now_ns = tools_.clock.SteadyNs();
    ProbeOutcome outcome;
    const auto add = [&](std::string_view phase, std::int64_t ns) {
      outcome.values.push_back({"probe_icmp_duration_seconds", static_cast<double>(ns) / 1e9,
                                "phase", std::string(phase)});
    };
    outcome.values.push_back({"probe_dns_lookup_time_seconds",
                              static_cast<double>(found_ns_ - begin_ns_) / 1e9,
                              {},
                              {}});
    add("resolve", found_ns_ - begin_ns_);
    add("setup", sent_ns_ - found_ns_);
    add("rtt", fault ? 0 : now_ns - sent_ns_);
    outcome.fault = std::move(fault);
    Forget();
    events_.done(std::move(outcome));
  }

  void Forget() {
    lookup_.Cancel();
    tools_.loop.CancelTimer(std::exchange(timer_, 0));
    tools_.pinger.Cancel(ping_);
  }

  const ProbeConfig& config_;
  ProbeTools& tools_;
  NameLookup lookup_;
  TimerId timer_ = 0;
  std::uint64_t ping_ = 0;
  std::int64_t begin_ns_ = 0, found_ns_ = 0, sent_ns_ = 0;
};

}  // namespace

std::unique_ptr<Probe> MakeIcmpProbe(const ProbeConfig& config, ProbeTools& tools,
                                     ProbeEvents events) {
  return std::make_unique<IcmpProbe>(config, tools, std::move(events));
}

}  // namespace atalaya::alertd
