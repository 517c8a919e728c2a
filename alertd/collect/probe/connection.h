#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/collect/probe/probe_config.h"
#include "alertd/collect/probe/probe_outcome.h"
#include "alertd/collect/probe/probe_tools.h"
#include "base/tls.h"

namespace atalaya::alertd {

// How long each part of opening a connection took; 0 for what it did not come to.
struct ConnectionPhases {
  std::chrono::nanoseconds connect{0}, tls{0};
};

// A TCP connection, with TLS in it where wanted: on its way, then open, then closed.
// Threads: that of the loop. The callbacks may close it, but not destroy it.
class Connection : private IoHandler {
 public:
  struct Events {
    std::function<void()> opened;
    std::function<void(std::string_view)> received;
    std::function<void(ProbeFault)> ended;  // By itself: it could not be opened, or broke.
  };

  Connection(ProbeTools& tools, const ProbeTls& tls, Events events);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Tries `addresses` one after the other. `name` is whose certificate it must be.
  void Open(std::vector<HostPort> addresses, const std::string& name);
  void Send(std::string_view bytes);  // Once it is open.
  void Close();                       // Nothing is told any more.

  const ConnectionPhases& phases() const { return phases_; }
  const TlsFacts& facts() const { return facts_; }

 private:
  enum class State : std::uint8_t { kClosed, kConnecting, kHandshake, kOpen };

  void OnIo(std::uint32_t events) override;
  void TryNext();
  void Connected();
  void BeginTls();
  void Handshake();
  void Opened();
  void Read();
  void Flush();
  void Want();
  void End(ProbeFaultKind kind, std::string message);

  ProbeTools& tools_;
  const ProbeTls tls_;
  const Events events_;
  State state_ = State::kClosed;
  std::vector<HostPort> addresses_;  // Not tried yet, last first.
  std::string name_;
  std::string refusal_;  // Why the last address did not take it.
  UniqueFd fd_;
  std::unique_ptr<TlsStream> stream_;
  TlsFacts facts_;
  std::uint32_t wanted_ = 0;  // What the loop watches for.
  bool wants_write_ = false;  // The handshake does.
  std::string unsent_;
  ConnectionPhases phases_;
  std::int64_t begin_ns_ = 0, connected_ns_ = 0;
};

}  // namespace atalaya::alertd
