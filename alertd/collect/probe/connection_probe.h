#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "alertd/collect/probe/connection.h"
#include "alertd/collect/probe/name_lookup.h"
#include "alertd/collect/probe/probe.h"

namespace atalaya::alertd {

// A look that opens a connection and speaks over it. With `hold` the connection of the last good
// look stays open until the next, so that its end is noticed at once.
class ConnectionProbe : public Probe {
 public:
  ConnectionProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events);
  ~ConnectionProbe() override;

  void Begin() final;

 protected:
  // The connection is open, or bytes came. They call Send, and in the end Succeed or Fail.
  virtual void Opened() = 0;
  virtual void Received(std::string_view bytes) = 0;
  // What an open connection is waited on for: "answer".
  virtual std::string WaitsFor() const = 0;
  // Adds what this kind measures, well or not. `connected`: it came to be open.
  virtual void AddValues(bool connected, ProbeOutcome& outcome) const = 0;
  // Sent before the connection is closed in peace.
  virtual std::string Farewell() const { return ""; }

  void Send(std::string_view bytes) { connection_->Send(bytes); }
  void Succeed();
  void Fail(ProbeFaultKind kind, std::string message);

  const ProbeConfig& config() const { return config_; }
  std::int64_t now_ns() const { return tools_.clock.SteadyNs(); }
  std::chrono::nanoseconds resolve_time() const { return resolve_time_; }
  const ConnectionPhases& phases() const { return connection_->phases(); }

 private:
  Connection::Events EventsOf(std::uint64_t number);
  void Found(NameLookup::Addresses addresses);
  void Finish(ProbeOutcome outcome);
  void TimedOut();
  void Hold();
  void Part(Connection& connection);

  const ProbeConfig& config_;
  ProbeTools& tools_;
  NameLookup lookup_;
  std::unique_ptr<Connection> connection_;  // Of the look, or closed.
  std::unique_ptr<Connection> held_;
  // Connections are told apart by number: that of the look under way, or 0, and that held.
  std::uint64_t last_number_ = 0, look_number_ = 0, held_number_ = 0;
  TimerId timer_ = 0;
  bool connected_ = false;
  std::int64_t begin_ns_ = 0;
  std::chrono::nanoseconds resolve_time_{0};
};

// What a handshake showed, as blackbox_exporter names it.
void AddTlsValues(const TlsFacts& facts, ProbeOutcome& outcome);

}  // namespace atalaya::alertd
