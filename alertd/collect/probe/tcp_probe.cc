// A connection is taken; with `send` and `expect`, and answered as it should be.

#include <re2/re2.h>

#include <optional>

#include "alertd/collect/probe/connection_probe.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kTcpAnswerBytes = 64u << 10;  // That are looked through for `expect`.

class TcpProbe final : public ConnectionProbe {
 public:
  TcpProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events)
      : ConnectionProbe(config, tools, std::move(events)) {
    if (!config.expect.empty()) expect_.emplace(config.expect);
  }

 private:
  void Opened() override {
    answer_.clear();
    if (!config().send.empty()) Send(config().send);
    if (!expect_) Succeed();
  }

  void Received(std::string_view bytes) override {
    answer_ += bytes;
    if (RE2::PartialMatch(answer_, *expect_)) return Succeed();
    if (answer_.size() > kTcpAnswerBytes) {
      Fail(ProbeFaultKind::kLimit,
           fmt::format("no match of expect in the first {} bytes", kTcpAnswerBytes));
    }
  }

  std::string WaitsFor() const override { return "answer that matches expect"; }

  void AddValues(bool connected, ProbeOutcome& outcome) const override {
    outcome.values.push_back({"probe_dns_lookup_time_seconds",
                              std::chrono::duration<double>(resolve_time()).count(),
                              {},
                              {}});
    const bool mismatch = outcome.fault && connected && expect_.has_value();
    outcome.values.push_back({"probe_failed_due_to_regex", mismatch ? 1.0 : 0.0, {}, {}});
  }

  std::optional<RE2> expect_;
  std::string answer_;
};

}  // namespace

std::unique_ptr<Probe> MakeTcpProbe(const ProbeConfig& config, ProbeTools& tools,
                                    ProbeEvents events) {
  return std::make_unique<TcpProbe>(config, tools, std::move(events));
}

}  // namespace atalaya::alertd
