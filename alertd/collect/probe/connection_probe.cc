#include "alertd/collect/probe/connection_probe.h"

#include "base/duration.h"

namespace atalaya::alertd {

void AddTlsValues(const TlsFacts& facts, ProbeOutcome& outcome) {
  if (facts.version.empty()) return;
  const auto seconds = [](std::int64_t ms) { return static_cast<double>(ms) / 1000; };
  outcome.values.push_back(
      {"probe_ssl_earliest_cert_expiry", seconds(facts.earliest_end_ms), {}, {}});
  if (facts.chain_end_ms != 0) {
    outcome.values.push_back(
        {"probe_ssl_last_chain_expiry_timestamp_seconds", seconds(facts.chain_end_ms), {}, {}});
  }
  outcome.values.push_back({"probe_tls_version_info", 1, "version", facts.version});
}

ConnectionProbe::ConnectionProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events)
    : Probe(std::move(events)), config_(config), tools_(tools), lookup_(tools.side) {}

ConnectionProbe::~ConnectionProbe() { tools_.loop.CancelTimer(timer_); }

void ConnectionProbe::Begin() {
  begin_ns_ = now_ns();
  connected_ = false;
  resolve_time_ = {};
  look_number_ = ++last_number_;
  connection_ = std::make_unique<Connection>(tools_, config_.tls, EventsOf(look_number_));
  timer_ = tools_.loop.RunAfter(config_.timeout, [this] { TimedOut(); });
  lookup_.Begin(config_.address,
                [this](NameLookup::Addresses addresses) { Found(std::move(addresses)); });
}

// What a held connection says is of no interest, but for its end.
Connection::Events ConnectionProbe::EventsOf(std::uint64_t number) {
  return {[this] {
            connected_ = true;
            Opened();
          },
          [this, number](std::string_view bytes) {
            if (number == look_number_) Received(bytes);
          },
          [this, number](ProbeFault fault) {
            if (number == look_number_) return Fail(fault.kind, std::move(fault.message));
            if (number == held_number_) events_.stirred();
          }};
}

void ConnectionProbe::Found(NameLookup::Addresses addresses) {
  if (!addresses) return Fail(ProbeFaultKind::kResolve, addresses.error().message);
  resolve_time_ = std::chrono::nanoseconds(now_ns() - begin_ns_);
  const std::string& name = config_.tls.server_name;
  connection_->Open(std::move(*addresses), name.empty() ? config_.address.host : name);
}

void ConnectionProbe::TimedOut() {
  Fail(ProbeFaultKind::kTimeout,
       fmt::format("no {} within {}", connected_ ? WaitsFor() : "connection",
                   FormatDuration(config_.timeout)));
}

void ConnectionProbe::Succeed() {
  ProbeOutcome outcome;
  AddValues(true, outcome);
  AddTlsValues(connection_->facts(), outcome);
  if (config_.hold) {
    Hold();
  } else {
    Part(*connection_);
  }
  Finish(std::move(outcome));
}

void ConnectionProbe::Fail(ProbeFaultKind kind, std::string message) {
  ProbeOutcome outcome;
  outcome.fault = ProbeFault{kind, std::move(message)};
  AddValues(connected_, outcome);
  AddTlsValues(connection_->facts(), outcome);
  connection_->Close();
  if (held_) held_->Close();
  Finish(std::move(outcome));
}

void ConnectionProbe::Finish(ProbeOutcome outcome) {
  look_number_ = 0;
  lookup_.Cancel();
  tools_.loop.CancelTimer(timer_);
  timer_ = 0;
  events_.done(std::move(outcome));
}

// Keeps the connection of this look in the place of the one before.
void ConnectionProbe::Hold() {
  if (held_) Part(*held_);
  held_ = std::exchange(connection_, nullptr);
  held_number_ = look_number_;
}

void ConnectionProbe::Part(Connection& connection) {
  const std::string farewell = Farewell();
  if (!farewell.empty()) connection.Send(farewell);
  connection.Close();
}

}  // namespace atalaya::alertd
