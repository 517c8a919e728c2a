#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "mqtt/decode.h"
#include "stress/figures.h"
#include "stress/transport.h"

namespace atalaya::stress {

// How many connections take one source address where the target is 127.0.0.0/8: from the half of
// the port range on, connect() looks for a free port one by one and slows to a crawl. Further ones
// come from 127.0.0.2 and up.
inline constexpr std::uint32_t kConnectionsPerSource = 10'000;

class Connection;

// What a connection belongs to: says what it sends to begin with, and takes its packets.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;

  virtual void AppendConnect(const Connection& connection, std::string* to) = 0;
  // Nothing where the connection does not subscribe; a server that has its session need not be
  // asked either.
  virtual void AppendSubscribe(const Connection& connection, std::string* to) = 0;
  virtual void OnConnack(const Connection& connection, const mqtt::Connack& connack) = 0;

  // A packet of a ready connection; `frame` is valid during the call. False: the packet is out of
  // place, and the connection ends as kNonsense.
  virtual bool OnPacket(Connection* connection, const mqtt::Frame& frame, std::int64_t now_ns) = 0;
};

struct Peer {
  TargetAddress address;
  const TransportMaker* transports = nullptr;
  mqtt::Version version = mqtt::Version::k311;
};

// One non-blocking MQTT connection. It lives on one worker's thread and never blocks; it can be
// opened again after its end.
class Connection {
 public:
  enum class State : std::uint8_t {
    kIdle,        // Not opened yet.
    kConnecting,  // TCP.
    kOpening,     // TLS, WebSocket.
    kConnack,
    kSuback,
    kReady,
    kClosed,
  };

  Connection() = default;
  explicit Connection(std::uint32_t slot) : slot_(slot) {}

  // Starts to connect; `number` tells all connections of the run apart. Where that fails at once,
  // the state is kClosed and failure() says why.
  void Open(const Peer& peer, std::uint32_t number, std::int64_t now_ns, std::int64_t deadline_ns);

  // Handles what epoll said (registered edge-triggered for reading and writing): goes on with the
  // handshake, sends what waits, reads and hands packets to `owner`. `scratch` is room for reading,
  // of at least twice `max_packet_bytes`; nothing in it outlives the call.
  void OnIo(const Peer& peer, std::uint32_t epoll_events, std::span<char> scratch,
            std::size_t max_packet_bytes, ConnectionOwner* owner);

  // Writes `bytes`, or keeps what the socket does not take; check blocked() first.
  void Send(std::string_view bytes);
  bool blocked() const { return sent_of_unsent_ < unsent_.size(); }

  void Ping();  // Asks for a sign of life; ping_answered() when it came.
  bool ping_answered() const { return pings_ == pongs_; }

  // Ends the connection, with DISCONNECT where it is ready and nothing waits.
  void Close(mqtt::Version version);
  // Ends it as a crash would: the server sees a reset.
  void Reset();

  // Ends the connection as failed.
  void FailAs(FailureClass failure, std::string why);

  State state() const { return state_; }
  bool ready() const { return state_ == State::kReady; }
  bool opening() const { return state_ > State::kIdle && state_ < State::kReady; }
  bool failed() const { return state_ == State::kClosed && !why_.empty(); }
  FailureClass failure() const { return failure_; }
  const std::string& why() const { return why_; }
  std::uint32_t slot() const { return slot_; }
  int fd() const { return fd_.get(); }
  std::int64_t opened_ns() const { return opened_ns_; }
  std::int64_t deadline_ns() const { return deadline_ns_; }

 private:
  void End();
  void FailWithErrno(int error, std::string_view doing);
  void FailWith(Transport::Outcome outcome);
  bool BindSource(const TargetAddress& target, std::uint32_t number);
  void GoOnOpening(ConnectionOwner* owner);
  // How many bytes were moved; -1 for none for now, with the state kClosed where it is over.
  ssize_t ReadSome(std::span<char> into);
  ssize_t WriteSome(std::string_view bytes);
  bool ReadOnce(const Peer& peer, std::span<char> scratch, bool to_the_end,
                std::size_t max_packet_bytes, ConnectionOwner* owner);  // True: there may be more.
  void OnFrame(const Peer& peer, const mqtt::Frame& frame, std::int64_t now_ns,
               ConnectionOwner* owner);
  void OnConnackFrame(const Peer& peer, const mqtt::Frame& frame, ConnectionOwner* owner);
  void OnSubackFrame(const Peer& peer, const mqtt::Frame& frame);
  void Nonsense(const mqtt::Frame& frame);

  UniqueFd fd_;
  std::uint32_t slot_ = 0;
  State state_ = State::kIdle;
  FailureClass failure_ = FailureClass::kLocal;
  std::uint32_t pings_ = 0;
  std::uint32_t pongs_ = 0;
  std::int64_t opened_ns_ = 0;
  std::int64_t deadline_ns_ = 0;
  std::unique_ptr<Transport> transport_;  // nullptr for plain TCP.
  std::string why_;
  std::string unread_;  // The head of a packet whose rest is to come.
  std::string unsent_;
  std::size_t sent_of_unsent_ = 0;
};

inline constexpr std::uint16_t kSubscribeId = 1;  // Of the one SUBSCRIBE of a connection.

}  // namespace atalaya::stress
