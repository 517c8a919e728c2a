#include "stress/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "base/clock.h"
#include "mqtt/encode.h"

namespace atalaya::stress {
namespace {

constexpr std::uint16_t kSubscribeId = 1;
constexpr char kConnackByte = 0x20;
constexpr unsigned char kSubackRefused = 0x80;
constexpr std::size_t kMaxUnsentBytes = 4u
                                        << 20;  // What one connection may hold for a slow server.

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

Result<TargetAddress> ResolveTarget(const HostPort& target) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (error != 0) {
    return Fail(ErrorCode::kNotFound, "cannot resolve {}: {}", target.host, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  TargetAddress address;
  address.length = found->ai_addrlen;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  return address;
}

void Connection::Configure(Role role, std::uint32_t pair, std::string client_id, std::string topic,
                           int qos) {
  role_ = role;
  pair_ = pair;
  client_id_ = std::move(client_id);
  topic_ = std::move(topic);
  qos_ = qos;
}

void Connection::Open(const TargetAddress& target, std::int64_t deadline_ns) {
  ATALAYA_CHECK(state_ == State::kIdle);
  deadline_ns_ = deadline_ns;
  state_ = State::kConnecting;
  fd_.Reset(socket(target.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) return FailAs(FailureClass::kLocal, "socket: " + ErrnoText(errno));
  SetNoDelay(fd_.get());
  if (!BindSource(target)) return FailWithErrno(errno, "bind");
  const auto* address = reinterpret_cast<const sockaddr*>(&target.storage);
  if (connect(fd_.get(), address, target.length) != 0 && errno != EINPROGRESS) {
    FailWithErrno(errno, "connect");
  }
}

bool Connection::BindSource(const TargetAddress& target) {
  const std::uint32_t index = 2 * pair_ + (role_ == Role::kPublisher ? 1 : 0);
  const std::uint32_t source = index / kConnectionsPerSource;
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

void Connection::FailAs(FailureClass failure, std::string why) {
  if (state_ == State::kClosed) return;
  failure_ = failure;
  why_ = std::move(why);
  state_ = State::kClosed;
  fd_.Reset();
}

void Connection::FailWithErrno(int error, std::string_view doing) {
  FailAs(ClassOf(error), fmt::format("{}: {}", doing, ErrnoText(error)));
}

void Connection::OnConnected() {
  if (const int error = SocketError(fd_.get()); error != 0) return FailWithErrno(error, "connect");
  mqtt::Connect packet;
  packet.client_id = client_id_;
  std::string bytes;
  mqtt::EncodeConnect(packet, &bytes);
  state_ = State::kConnack;
  Send(bytes);
}

void Connection::OnIo(std::uint32_t epoll_events, std::span<char> scratch,
                      std::size_t max_packet_bytes, PacketSink* sink) {
  if (state_ == State::kConnecting && (epoll_events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
    OnConnected();
  }
  if (state_ == State::kClosed) return;
  if ((epoll_events & EPOLLOUT) != 0 && blocked()) Flush();
  // A short read empties the socket, but the end of the stream right behind it makes no edge of its
  // own: where the event tells of an end, read up to it.
  const bool to_the_end = (epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (!to_the_end && (epoll_events & EPOLLIN) == 0) return;
  while (ReadOnce(scratch, to_the_end, max_packet_bytes, sink)) {
  }
}

bool Connection::ReadOnce(std::span<char> scratch, bool to_the_end, std::size_t max_packet_bytes,
                          PacketSink* sink) {
  if (state_ == State::kClosed) return false;
  ATALAYA_CHECK(scratch.size() > unread_.size());
  std::memcpy(scratch.data(), unread_.data(), unread_.size());
  const std::size_t room = scratch.size() - unread_.size();
  const ssize_t got = recv(fd_.get(), scratch.data() + unread_.size(), room, 0);
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) FailWithErrno(errno, "recv");
    return false;
  }
  if (got == 0) {
    FailAs(FailureClass::kReset, "closed by the server");
    return false;
  }
  const std::int64_t now_ns = SystemClock().SteadyNs();
  std::string_view rest(scratch.data(), unread_.size() + static_cast<std::size_t>(got));
  // Another protocol's greeting may look like the head of a long packet, whose rest never comes.
  if (state_ == State::kConnack && rest.front() != kConnackByte) {
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
    OnFrame(*frame, now_ns, sink);
    if (state_ == State::kClosed) return false;
    rest.remove_prefix(frame->size);
  }
  unread_.assign(rest);
  return to_the_end || static_cast<std::size_t>(got) == room;
}

void Connection::OnFrame(const mqtt::Frame& frame, std::int64_t now_ns, PacketSink* sink) {
  const auto nonsense = [&] {
    FailAs(FailureClass::kNonsense, fmt::format("unexpected {}", mqtt::PacketTypeName(frame.type)));
  };
  if (state_ == State::kConnack) {
    if (frame.type != mqtt::PacketType::kConnack) return nonsense();
    const auto connack = mqtt::DecodeConnack(frame, mqtt::Version::k311);
    if (!connack) return nonsense();
    if (connack->code != 0) {
      return FailAs(FailureClass::kRefused, fmt::format("CONNACK code {}", connack->code));
    }
    if (role_ == Role::kPublisher) {
      state_ = State::kReady;
      return;
    }
    mqtt::Subscribe subscribe;
    subscribe.packet_id = kSubscribeId;
    subscribe.subscriptions.push_back({topic_, static_cast<mqtt::Qos>(qos_), false, false, 0});
    std::string bytes;
    mqtt::EncodeSubscribe(subscribe, mqtt::Version::k311, &bytes);
    state_ = State::kSuback;
    return Send(bytes);
  }
  if (state_ == State::kSuback) {
    if (frame.type != mqtt::PacketType::kSuback) return nonsense();
    const auto suback = mqtt::DecodeSuback(frame, mqtt::Version::k311);
    if (!suback || suback->packet_id != kSubscribeId || suback->codes.size() != 1) {
      return nonsense();
    }
    if (static_cast<unsigned char>(suback->codes[0]) >= kSubackRefused) {
      return FailAs(FailureClass::kRefused, "SUBACK refused the topic");
    }
    state_ = State::kReady;
    return;
  }
  if (frame.type == mqtt::PacketType::kPingresp && pongs_ < pings_) {
    ++pongs_;
    return;
  }
  if (!sink->OnPacket(this, frame, now_ns)) nonsense();
}

void Connection::Send(std::string_view bytes) {
  if (state_ == State::kClosed) return;
  if (!blocked()) {
    const ssize_t written = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written < 0 && errno != EAGAIN && errno != EINTR) return FailWithErrno(errno, "send");
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
    unsent_.clear();
    sent_of_unsent_ = 0;
  }
  unsent_.append(bytes);
  if (unsent_.size() - sent_of_unsent_ > kMaxUnsentBytes) {
    FailAs(FailureClass::kHang, "the server does not read");
  }
}

void Connection::Flush() {
  const std::string_view rest = std::string_view(unsent_).substr(sent_of_unsent_);
  const ssize_t written = send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (written < 0 && errno != EAGAIN && errno != EINTR) return FailWithErrno(errno, "send");
  if (written > 0) sent_of_unsent_ += static_cast<std::size_t>(written);
}

void Connection::Ping() {
  if (!ready()) return;
  ++pings_;
  std::string bytes;
  mqtt::EncodePingreq(&bytes);
  Send(bytes);
}

void Connection::Close() {
  if (ready() && !blocked()) {
    std::string bytes;
    mqtt::EncodeDisconnect({}, mqtt::Version::k311, &bytes);
    Send(bytes);
  }
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  fd_.Reset();
}

}  // namespace atalaya::stress
