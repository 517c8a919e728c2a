#include "stress/connection.h"

#include <netinet/in.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/clock.h"
#include "mqtt/encode.h"

namespace atalaya::stress {
namespace {

constexpr char kConnackByte = 0x20;
constexpr unsigned char kSubackRefused = 0x80;
constexpr std::size_t kMaxUnsentBytes = 4u << 20;  // What one connection holds for a slow server.
// A connection that has once held more gives the memory back.
constexpr std::size_t kKeptUnsentBytes = 16u << 10;

FailureClass ClassOf(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EACCES:
    case EPERM:
      return FailureClass::kRefused;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
      return FailureClass::kReset;
    case ETIMEDOUT:
      return FailureClass::kHang;
    default:
      return FailureClass::kLocal;
  }
}

}  // namespace

void Connection::Open(const Peer& peer, std::uint32_t number, std::int64_t now_ns,
                      std::int64_t deadline_ns) {
  ATALAYA_CHECK(state_ == State::kIdle || state_ == State::kClosed);
  End();
  why_.clear();
  opened_ns_ = now_ns;
  deadline_ns_ = deadline_ns;
  state_ = State::kConnecting;
  const TargetAddress& target = peer.address;
  fd_.Reset(socket(target.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) return FailAs(FailureClass::kLocal, "socket: " + ErrnoText(errno));
  SetNoDelay(fd_.get());
  if (!BindSource(target, number)) return FailWithErrno(errno, "bind");
  const auto* address = reinterpret_cast<const sockaddr*>(&target.storage);
  if (connect(fd_.get(), address, target.length) != 0 && errno != EINPROGRESS) {
    return FailWithErrno(errno, "connect");
  }
  Result<std::unique_ptr<Transport>> transport = peer.transports->Make(fd_.get());
  if (!transport) return FailAs(FailureClass::kLocal, transport.error().message);
  transport_ = std::move(*transport);
}

bool Connection::BindSource(const TargetAddress& target, std::uint32_t number) {
  const std::uint32_t source = number / kConnectionsPerSource;
  const auto& to = reinterpret_cast<const sockaddr_in&>(target.storage);
  const bool loopback = to.sin_family == AF_INET && ntohl(to.sin_addr.s_addr) >> 24 == 127;
  if (source == 0 || !loopback) return true;
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  return bind(fd_.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0;
}

void Connection::End() {
  state_ = State::kClosed;
  transport_.reset();
  fd_.Reset();
  unread_ = {};
  unsent_ = {};
  sent_of_unsent_ = 0;
  pings_ = pongs_ = 0;
}

void Connection::FailAs(FailureClass failure, std::string why) {
  if (state_ == State::kClosed) return;
  failure_ = failure;
  why_ = std::move(why);
  End();
}

void Connection::FailWithErrno(int error, std::string_view doing) {
  FailAs(ClassOf(error), fmt::format("{}: {}", doing, ErrnoText(error)));
}

void Connection::FailWith(Transport::Outcome outcome) {
  if (outcome == Transport::Outcome::kClosed) {
    FailAs(FailureClass::kReset, "closed by the server");
  } else if (outcome == Transport::Outcome::kFailed) {
    FailAs(FailureClass::kNonsense, transport_->error());
  }
}

void Connection::GoOnOpening(ConnectionOwner* owner) {
  if (state_ == State::kConnecting) {
    if (const int error = SocketError(fd_.get()); error != 0) {
      return FailWithErrno(error, "connect");
    }
    state_ = State::kOpening;
  }
  if (transport_) {
    const Transport::Outcome outcome = transport_->Open(fd_.get());
    if (outcome != Transport::Outcome::kDone) return FailWith(outcome);
  }
  state_ = State::kConnack;
  std::string bytes;
  owner->AppendConnect(*this, &bytes);
  Send(bytes);
}

void Connection::OnIo(const Peer& peer, std::uint32_t epoll_events, std::span<char> scratch,
                      std::size_t max_packet_bytes, ConnectionOwner* owner) {
  if (state_ == State::kConnecting && (epoll_events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) {
    return;
  }
  if (state_ == State::kConnecting || state_ == State::kOpening) GoOnOpening(owner);
  if (state_ == State::kClosed || state_ == State::kOpening) return;
  if (blocked() && ((epoll_events & EPOLLOUT) != 0 || transport_)) Send({});
  // A short read empties the socket, but the end of the stream right behind it makes no edge of its
  // own: where the event tells of an end, read up to it. A transport may hold bytes of which no
  // event tells.
  const bool to_the_end =
      transport_ != nullptr || (epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (!to_the_end && (epoll_events & EPOLLIN) == 0) return;
  while (ReadOnce(peer, scratch, to_the_end, max_packet_bytes, owner)) {
  }
}

ssize_t Connection::ReadSome(std::span<char> into) {
  if (transport_) {
    std::size_t got = 0;
    const Transport::Outcome outcome = transport_->Read(fd_.get(), into, &got);
    if (outcome == Transport::Outcome::kDone) return static_cast<ssize_t>(got);
    FailWith(outcome);
    return -1;
  }
  const ssize_t got = recv(fd_.get(), into.data(), into.size(), 0);
  if (got == 0) FailWith(Transport::Outcome::kClosed);
  if (got < 0 && errno != EAGAIN && errno != EINTR) FailWithErrno(errno, "recv");
  return got > 0 ? got : -1;
}

bool Connection::ReadOnce(const Peer& peer, std::span<char> scratch, bool to_the_end,
                          std::size_t max_packet_bytes, ConnectionOwner* owner) {
  if (state_ == State::kClosed) return false;
  ATALAYA_CHECK(scratch.size() > unread_.size());
  std::memcpy(scratch.data(), unread_.data(), unread_.size());
  const std::size_t room = scratch.size() - unread_.size();
  const ssize_t got = ReadSome(scratch.subspan(unread_.size()));
  if (got < 0) return false;
  const std::int64_t now_ns = SystemClock().SteadyNs();
  std::string_view rest(scratch.data(), unread_.size() + static_cast<std::size_t>(got));
  // Another protocol's greeting may look like the head of a long packet, whose rest never comes.
  if (state_ == State::kConnack && !rest.empty() && rest.front() != kConnackByte) {
    FailAs(FailureClass::kNonsense, "the answer to CONNECT is no CONNACK");
    return false;
  }
  while (!rest.empty()) {
    const mqtt::Decoded<mqtt::Frame> frame = mqtt::NextFrame(rest, max_packet_bytes);
    if (!frame) {
      FailAs(FailureClass::kNonsense, std::string(mqtt::FaultName(frame.error())));
      return false;
    }
    if (frame->size == 0) break;
    OnFrame(peer, *frame, now_ns, owner);
    if (state_ == State::kClosed) return false;
    rest.remove_prefix(frame->size);
  }
  unread_.assign(rest);
  return to_the_end || static_cast<std::size_t>(got) == room;
}

void Connection::Nonsense(const mqtt::Frame& frame) {
  FailAs(FailureClass::kNonsense, fmt::format("unexpected {}", mqtt::PacketTypeName(frame.type)));
}

void Connection::OnConnackFrame(const Peer& peer, const mqtt::Frame& frame,
                                ConnectionOwner* owner) {
  if (frame.type != mqtt::PacketType::kConnack) return Nonsense(frame);
  const auto connack = mqtt::DecodeConnack(frame, peer.version);
  if (!connack) return Nonsense(frame);
  if (connack->code != 0) {
    return FailAs(FailureClass::kRefused, fmt::format("CONNACK code {}", connack->code));
  }
  owner->OnConnack(*this, *connack);
  std::string bytes;
  owner->AppendSubscribe(*this, &bytes);
  state_ = bytes.empty() ? State::kReady : State::kSuback;
  Send(bytes);
}

void Connection::OnSubackFrame(const Peer& peer, const mqtt::Frame& frame) {
  const auto suback = mqtt::DecodeSuback(frame, peer.version);
  if (!suback || suback->packet_id != kSubscribeId || suback->codes.size() != 1) {
    return Nonsense(frame);
  }
  if (static_cast<unsigned char>(suback->codes[0]) >= kSubackRefused) {
    return FailAs(FailureClass::kRefused, "SUBACK refused the topic");
  }
  state_ = State::kReady;
}

void Connection::OnFrame(const Peer& peer, const mqtt::Frame& frame, std::int64_t now_ns,
                         ConnectionOwner* owner) {
  if (state_ == State::kConnack) return OnConnackFrame(peer, frame, owner);
  // A kept session's messages may come before the SUBACK.
  if (state_ == State::kSuback && frame.type == mqtt::PacketType::kSuback) {
    return OnSubackFrame(peer, frame);
  }
  if (frame.type == mqtt::PacketType::kPingresp && pongs_ < pings_) {
    ++pongs_;
    return;
  }
  if (frame.type == mqtt::PacketType::kDisconnect && peer.version == mqtt::Version::k5) {
    const auto disconnect = mqtt::DecodeDisconnect(frame, peer.version);
    return FailAs(FailureClass::kReset, disconnect
                                            ? fmt::format("DISCONNECT with reason 0x{:02x}",
                                                          static_cast<unsigned>(disconnect->reason))
                                            : "a broken DISCONNECT");
  }
  if (!owner->OnPacket(this, frame, now_ns)) Nonsense(frame);
}

ssize_t Connection::WriteSome(std::string_view bytes) {
  if (transport_) {
    std::size_t taken = 0;
    const Transport::Outcome outcome = transport_->Write(fd_.get(), bytes, &taken);
    if (outcome == Transport::Outcome::kDone) return static_cast<ssize_t>(taken);
    FailWith(outcome);
    return -1;
  }
  const ssize_t written = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (written < 0 && errno != EAGAIN && errno != EINTR) FailWithErrno(errno, "send");
  return written;
}

// What waits goes first; a transport may take less than the socket would, and no event tells so.
void Connection::Send(std::string_view bytes) {
  while (state_ != State::kClosed && (blocked() || !bytes.empty())) {
    const bool waiting = blocked();
    const std::string_view next =
        waiting ? std::string_view(unsent_).substr(sent_of_unsent_) : bytes;
    const ssize_t written = WriteSome(next);
    if (written < 0) break;
    const auto count = static_cast<std::size_t>(written);
    if (!waiting) {
      bytes.remove_prefix(count);
    } else if ((sent_of_unsent_ += count) == unsent_.size()) {
      if (unsent_.capacity() > kKeptUnsentBytes) unsent_ = {};
      unsent_.clear();
      sent_of_unsent_ = 0;
    }
    if (count < next.size() && !transport_) break;
  }
  if (state_ == State::kClosed || bytes.empty()) return;
  unsent_.append(bytes);
  if (unsent_.size() - sent_of_unsent_ > kMaxUnsentBytes) {
    FailAs(FailureClass::kHang, "the server does not read");
  }
}

void Connection::Ping() {
  if (!ready()) return;
  ++pings_;
  std::string bytes;
  mqtt::EncodePingreq(&bytes);
  Send(bytes);
}

void Connection::Close(mqtt::Version version) {
  if (ready() && !blocked()) {
    std::string bytes;
    mqtt::EncodeDisconnect({}, version, &bytes);
    Send(bytes);
  }
  if (state_ != State::kClosed) End();
}

void Connection::Reset() {
  if (state_ == State::kClosed) return;
  const linger hard{1, 0};
  if (fd_) setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  End();
}

}  // namespace atalaya::stress
