#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/net.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "mqtt/decode.h"
#include "stress/figures.h"

namespace atalaya::stress {

// A target whose name has been resolved once, so that thousands of connects need no resolver.
struct TargetAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// How many connections take one source address where the target is 127.0.0.0/8: from the half of
// the port range on, connect() looks for a free port one by one and slows to a crawl. Further ones
// come from 127.0.0.2 and up.
inline constexpr std::uint32_t kConnectionsPerSource = 10'000;

// Blocks for the resolver. kNotFound where the name has no address.
Result<TargetAddress> ResolveTarget(const HostPort& target);

class Connection;

// Takes the packets of a connection that is ready.
class PacketSink {
 public:
  virtual ~PacketSink() = default;

  // A PUBLISH or PUBACK; `frame` is valid during the call. False: the packet is out of place, and
  // the connection ends as kNonsense.
  virtual bool OnPacket(Connection* connection, const mqtt::Frame& frame, std::int64_t now_ns) = 0;
};

// One non-blocking MQTT 3.1.1 connection of a pair. It lives on one worker's thread and never
// blocks.
class Connection {
 public:
  enum class State { kIdle, kConnecting, kConnack, kSuback, kReady, kClosed };
  enum class Role { kPublisher, kSubscriber };

  Connection() = default;

  // Who this is; `topic` is what a subscriber subscribes to at `qos`. Call once, before Open.
  void Configure(Role role, std::uint32_t pair, std::string client_id, std::string topic, int qos);

  // Starts to connect. Where that fails at once, the state is kClosed and failure() says why.
  void Open(const TargetAddress& target, std::int64_t deadline_ns);

  // Handles what epoll said (registered edge-triggered for reading and writing): goes on with the
  // handshake, sends what waits, reads and hands packets to `sink`. `scratch` is room for reading,
  // of at least twice `max_packet_bytes`; nothing in it outlives the call.
  void OnIo(std::uint32_t epoll_events, std::span<char> scratch, std::size_t max_packet_bytes,
            PacketSink* sink);

  // Writes `bytes`, or keeps what the socket does not take; check blocked() first.
  void Send(std::string_view bytes);
  bool blocked() const { return sent_of_unsent_ < unsent_.size(); }

  void Ping();  // Asks for a sign of life; ping_answered() when it came.
  bool ping_answered() const { return pings_ == pongs_; }

  // Ends the connection, with DISCONNECT where it is ready and nothing waits.
  void Close();

  // Ends the connection as failed.
  void FailAs(FailureClass failure, std::string why);

  State state() const { return state_; }
  bool ready() const { return state_ == State::kReady; }
  bool opening() const { return state_ > State::kIdle && state_ < State::kReady; }
  bool failed() const { return state_ == State::kClosed && !why_.empty(); }
  FailureClass failure() const { return failure_; }
  const std::string& why() const { return why_; }
  Role role() const { return role_; }
  std::uint32_t pair() const { return pair_; }
  int fd() const { return fd_.get(); }
  std::int64_t deadline_ns() const { return deadline_ns_; }

 private:
  void FailWithErrno(int error, std::string_view doing);
  bool BindSource(const TargetAddress& target);
  void OnConnected();
  void Flush();
  bool ReadOnce(std::span<char> scratch, bool to_the_end, std::size_t max_packet_bytes,
                PacketSink* sink);  // True: there may be more.
  void OnFrame(const mqtt::Frame& frame, std::int64_t now_ns, PacketSink* sink);

  UniqueFd fd_;
  State state_ = State::kIdle;
  Role role_ = Role::kPublisher;
  FailureClass failure_ = FailureClass::kLocal;
  std::uint32_t pair_ = 0;
  int qos_ = 0;
  std::uint32_t pings_ = 0;
  std::uint32_t pongs_ = 0;
  std::int64_t deadline_ns_ = 0;
  std::string client_id_;
  std::string topic_;
  std::string why_;
  std::string unread_;  // The head of a packet whose rest is to come.
  std::string unsent_;
  std::size_t sent_of_unsent_ = 0;
};

}  // namespace atalaya::stress
