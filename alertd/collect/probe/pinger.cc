#include "alertd/collect/probe/pinger.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstring>
#include <random>
#include <unordered_map>

#include "base/unique_fd.h"

namespace atalaya::alertd {
namespace {

constexpr std::uint32_t kRawIcmpFilter = 1;  // ICMP_FILTER of linux/icmp.h, which clashes here.
constexpr std::size_t kReplyBytes = 512;     // An IP header and what we sent.

// What we send, and get back: a header that ICMP and ICMPv6 have alike, and whose it is. By that
// alone a reply is known, since the kernel changes the id on an unprivileged socket.
struct Echo {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t checksum = 0;
  std::uint16_t id = 0;
  std::uint16_t sequence = 0;
  std::uint8_t token[8] = {};
};
static_assert(sizeof(Echo) == 16);

// RFC 1071.
std::uint16_t InternetChecksum(const Echo& echo) {
  std::uint16_t words[sizeof(Echo) / 2];
  std::memcpy(words, &echo, sizeof echo);
  std::uint32_t sum = 0;
  for (const std::uint16_t word : words) sum += word;
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace

struct Pinger::Impl {
  // One family's.
  struct Socket : IoHandler {
    explicit Socket(Impl* with, bool with_v6) : owner(with), v6(with_v6) {}
    void OnIo(std::uint32_t) override { owner->Read(*this); }
    Impl* owner;
    const bool v6;
    bool raw = false;
    UniqueFd fd;
  };

  explicit Impl(EventLoop& with_loop) : loop(with_loop) {}
  Status Open(Socket& socket);
  void Read(Socket& socket);
  Result<std::uint64_t> Send(const std::string& host, std::function<void()> answered);

  EventLoop& loop;
  Socket v4{this, false}, v6{this, true};
  std::uint64_t next = std::random_device()() | std::uint64_t{std::random_device()()} << 32;
  std::unordered_map<std::uint64_t, std::function<void()>> waiting;
};

Status Pinger::Impl::Open(Socket& socket) {
  if (socket.fd) return {};
  const int family = socket.v6 ? AF_INET6 : AF_INET;
  const int protocol =
      socket.v6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
  socket.fd.Reset(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  socket.raw = !socket.fd;
  if (socket.raw)
    socket.fd.Reset(::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!socket.fd && errno != EPERM && errno != EACCES)
    return Fail(ErrorCode::kIo, "no socket for ICMP: {}", ErrnoText(errno));
  if (!socket.fd) {
    return Fail(ErrorCode::kRefused,
                "ICMP is not permitted: give cloud_alertd CAP_NET_RAW, or its group a place in "
                "net.ipv4.ping_group_range");
  }
  if (socket.raw && socket.v6) {
    icmp6_filter filter{};
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    setsockopt(socket.fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  } else if (socket.raw) {
    const std::uint32_t blocked = ~(1u << ICMP_ECHOREPLY);
    setsockopt(socket.fd.get(), SOL_RAW, kRawIcmpFilter, &blocked, sizeof blocked);
  }
  Status added = loop.Add(socket.fd.get(), EPOLLIN, &socket);
  if (!added) socket.fd.Reset();
  return added;
}

void Pinger::Impl::Read(Socket& socket) {
  while (true) {
    char packet[kReplyBytes];
    const ssize_t got = recv(socket.fd.get(), packet, sizeof packet, 0);
    if (got < 0) return;  // Nothing more, or the fault of a packet that is gone.
    std::size_t at = 0;
    if (socket.raw && !socket.v6) at = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
    Echo echo;
    if (static_cast<std::size_t>(got) < at + sizeof echo) continue;
    std::memcpy(&echo, packet + at, sizeof echo);
    if (echo.type != (socket.v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY)) continue;
    std::uint64_t token = 0;
    std::memcpy(&token, echo.token, sizeof token);
    const auto found = waiting.find(token);
    if (found == waiting.end()) continue;
    const std::function<void()> answered = std::move(found->second);
    waiting.erase(found);
    answered();
  }
}

Result<std::uint64_t> Pinger::Impl::Send(const std::string& host, std::function<void()> answered) {
  sockaddr_in to4{};
  sockaddr_in6 to6{};
  to4.sin_family = AF_INET;
  to6.sin6_family = AF_INET6;
  const bool is_v6 = inet_pton(AF_INET6, host.c_str(), &to6.sin6_addr) == 1;
  if (!is_v6 && inet_pton(AF_INET, host.c_str(), &to4.sin_addr) != 1)
    return Fail(ErrorCode::kInvalid, "\"{}\" is no address", host);
  Socket& socket = is_v6 ? v6 : v4;
  if (Status opened = Open(socket); !opened) return Forward(opened.error());

  const std::uint64_t token = next++;
  Echo echo;
  echo.type = is_v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
  echo.sequence = htons(static_cast<std::uint16_t>(token));
  std::memcpy(echo.token, &token, sizeof token);
  echo.checksum = InternetChecksum(echo);  // The kernel makes that of ICMPv6.
  const auto* to =
      is_v6 ? reinterpret_cast<const sockaddr*>(&to6) : reinterpret_cast<const sockaddr*>(&to4);
  const socklen_t length = is_v6 ? sizeof to6 : sizeof to4;
  if (sendto(socket.fd.get(), &echo, sizeof echo, MSG_NOSIGNAL, to, length) < 0)
    return Fail(ErrorCode::kIo, "{}", ErrnoText(errno));
  waiting.emplace(token, std::move(answered));
  return token;
}

Pinger::Pinger(EventLoop& loop) : impl_(std::make_unique<Impl>(loop)) {}

Pinger::~Pinger() {
  for (Impl::Socket* socket : {&impl_->v4, &impl_->v6}) {
    if (socket->fd) impl_->loop.Remove(socket->fd.get(), socket);
  }
}

Result<std::uint64_t> Pinger::Send(const std::string& host, std::function<void()> answered) {
  return impl_->Send(host, std::move(answered));
}

void Pinger::Cancel(std::uint64_t id) { impl_->waiting.erase(id); }

}  // namespace atalaya::alertd
