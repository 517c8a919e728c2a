#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace atalaya {

// A TCP address as people write it: "127.0.0.1:1883", "[::1]:1883", "localhost:1883", ":1883" (all
// addresses).
struct HostPort {
  std::string host;  // Without brackets; "" means all addresses.
  std::uint16_t port = 0;

  std::string ToString() const;  // With brackets where the host is an IPv6 address.

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// kInvalid with what was expected, where `text` is no address. Port 0 is allowed: the kernel
// chooses.
Result<HostPort> ParseHostPort(std::string_view text);

// True for 127.0.0.0/8, ::1 and "localhost".
bool IsLoopback(std::string_view host);

// True for an IPv4 or IPv6 address in digits, without brackets.
bool IsNumericAddress(std::string_view host);

// Binds and listens, non-blocking, SO_REUSEADDR. kBusy names who holds the port:
// "cannot listen on 127.0.0.1:1883: in use by mosquitto (pid 812)"; kIo otherwise.
Result<UniqueFd> ListenTcp(const HostPort& address, int backlog = 4096);

// The address that a bound or connected socket really has (after port 0).
Result<HostPort> LocalAddress(int fd);
Result<HostPort> PeerAddress(int fd);

// Resolves `address` (this blocks) and starts a non-blocking connect; writable means decided, ask
// SocketError.
Result<UniqueFd> StartConnectTcp(const HostPort& address);

// Every address that `address` names, in the order to try them, as numbers; this blocks where it is
// a name. kNotFound where it has none.
Result<std::vector<HostPort>> ResolveTcp(const HostPort& address);

// 0, or the errno that a non-blocking connect ended with.
int SocketError(int fd);

void SetNoDelay(int fd);

struct PortHolder {
  std::int64_t pid = 0;
  std::string name;
};

// The process of this machine that listens on `port`; none where its descriptors may not be seen,
// or nobody listens. Blocks for a scan of /proc.
std::optional<PortHolder> FindPortHolder(std::uint16_t port);

// "mosquitto (pid 812)" for the process that listens on `port`, or "another process" where it
// cannot be seen.
std::string DescribePortHolder(std::uint16_t port);

}  // namespace atalaya
