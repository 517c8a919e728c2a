#include "base/net.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace atalaya {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<AddressList> Resolve(const HostPort& address, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const int error = getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(), port.c_str(),
                                &hints, &found);
  if (error != 0) {
    return Fail(ErrorCode::kNotFound, "cannot resolve {}: {}", address.ToString(),
                gai_strerror(error));
  }
  return AddressList(found, &freeaddrinfo);
}

Result<HostPort> ToHostPort(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return HostPort{text, ntohs(v4.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return HostPort{text, ntohs(v6.sin6_port)};
  }
  return Fail(ErrorCode::kInvalid, "not an IP socket");
}

UniqueFd TryListen(const addrinfo& candidate, int backlog) {
  UniqueFd fd(socket(candidate.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return {};
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (candidate.ai_family == AF_INET6)
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd.get(), candidate.ai_addr, candidate.ai_addrlen) != 0 ||
      listen(fd.get(), backlog) != 0)
    return {};
  return fd;
}

}  // namespace

std::string HostPort::ToString() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<HostPort> ParseHostPort(std::string_view text) {
  const auto invalid = [&] {
    return Fail(ErrorCode::kInvalid,
                "\"{}\" is not an address (write 127.0.0.1:1883 or [::1]:1883)", text);
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid();
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  unsigned port = 0;
  const char* end = port_text.data() + port_text.size();
  const auto parsed = std::from_chars(port_text.data(), end, port);
  if (port_text.empty() || parsed.ec != std::errc() || parsed.ptr != end || port > 65535)
    return invalid();
  if (!host.empty() && host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return invalid();
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return invalid();
  }
  return HostPort{std::string(host), static_cast<std::uint16_t>(port)};
}

bool IsLoopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  in_addr v4{};
  return inet_pton(AF_INET, std::string(host).c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

bool IsNumericAddress(std::string_view host) {
  in6_addr address{};
  const std::string text(host);
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

Result<UniqueFd> ListenTcp(const HostPort& address, int backlog) {
  Result<AddressList> candidates = Resolve(address, AI_PASSIVE);
  if (!candidates) return Forward(candidates.error());
  int error = 0;
  for (const addrinfo* candidate = candidates->get(); candidate != nullptr;
       candidate = candidate->ai_next) {
    if (UniqueFd fd = TryListen(*candidate, backlog)) return fd;
    error = errno;
  }
  if (error == EADDRINUSE) {
    return Fail(ErrorCode::kBusy, "cannot listen on {}: in use by {}", address.ToString(),
                DescribePortHolder(address.port));
  }
  return Fail(ErrorCode::kIo, "cannot listen on {}: {}", address.ToString(), ErrnoText(error));
}

Result<HostPort> LocalAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return Fail(ErrorCode::kIo, "getsockname: {}", ErrnoText(errno));
  }
  return ToHostPort(storage);
}

Result<HostPort> PeerAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return Fail(ErrorCode::kIo, "getpeername: {}", ErrnoText(errno));
  }
  return ToHostPort(storage);
}

Result<UniqueFd> StartConnectTcp(const HostPort& address) {
  Result<AddressList> candidates = Resolve(address, 0);
  if (!candidates) return Forward(candidates.error());
  int error = 0;
  for (const addrinfo* candidate = candidates->get(); candidate != nullptr;
       candidate = candidate->ai_next) {
    UniqueFd fd(socket(candidate->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd && (connect(fd.get(), candidate->ai_addr, candidate->ai_addrlen) == 0 ||
               errno == EINPROGRESS)) {
      SetNoDelay(fd.get());
      return fd;
    }
    error = errno;
  }
  return Fail(ErrorCode::kIo, "cannot connect to {}: {}", address.ToString(), ErrnoText(error));
}

Result<std::vector<HostPort>> ResolveTcp(const HostPort& address) {
  Result<AddressList> candidates = Resolve(address, 0);
  if (!candidates) return Forward(candidates.error());
  std::vector<HostPort> addresses;
  for (const addrinfo* candidate = candidates->get(); candidate != nullptr;
       candidate = candidate->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, candidate->ai_addr, candidate->ai_addrlen);
    if (Result<HostPort> found = ToHostPort(storage)) addresses.push_back(std::move(*found));
  }
  return addresses;
}

int SocketError(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

void SetNoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace atalaya
