#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "telemetry/stats_segment.h"

namespace atalaya::cloud_server {

enum class IoState : std::uint8_t {
  kDone,
  kBlocked,  // The socket has, or takes, no more for now.
  kClosed,   // The peer has ended the connection.
  kFailed,   // What came breaks the transport's protocol, or the network broke.
};

struct IoResult {
  IoState state = IoState::kDone;
  std::size_t bytes = 0;
};

// What stands between the packets of a connection and its socket where that is more than TCP: TLS,
// WebSocket, or one over the other. A plain connection has none. `fd` is the connection's socket
// and the same in each call. Nothing here blocks or raises SIGPIPE.
// Threads: one at a time; it moves between loops with its connection.
class Transport {
 public:
  virtual ~Transport() = default;

  // Takes packet bytes into `into` (not empty). kDone: `bytes` came; they may be none where what
  // came was the transport's own. What came before an end is handed out first.
  virtual IoResult Read(int fd, std::span<char> into) = 0;
  // True where there may be more for Read that no event of the socket will tell of.
  virtual bool HasUnread() const = 0;

  // Sends packet bytes; `bytes` were taken. After kBlocked the next call begins with the same
  // bytes, and more may follow. With none it sends only what the transport itself owes.
  virtual IoResult Write(int fd, std::span<const iovec> vectors) = 0;
  // True where the transport itself owes the peer bytes: of a handshake, or an answer.
  virtual bool HasUnsent() const = 0;

  // Says the connection's end in the transport's words, as far as the socket takes them.
  virtual void Finish(int fd, telemetry::Stat reason) = 0;

  // What a connection that failed in here counts as.
  virtual telemetry::Stat failure() const = 0;
  // The name in the client's verified certificate; "" where there is none.
  virtual std::string PeerCommonName() const { return ""; }
};

inline bool IsPeerGone(int error) {
  return error == ECONNRESET || error == EPIPE || error == ETIMEDOUT;
}

// Read and Write over plain TCP.
inline IoResult ReadPlain(int fd, std::span<char> into) {
  const ssize_t got = recv(fd, into.data(), into.size(), MSG_DONTWAIT);
  if (got > 0) return {IoState::kDone, static_cast<std::size_t>(got)};
  if (got == 0) return {IoState::kClosed};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {IoState::kBlocked};
  return {IsPeerGone(errno) ? IoState::kClosed : IoState::kFailed};
}

inline IoResult WritePlain(int fd, std::span<const iovec> vectors) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(vectors.data());
  message.msg_iovlen = vectors.size();
  while (true) {
    // For one piece, as nearly always, send costs less.
    const ssize_t taken = vectors.size() == 1 ? send(fd, vectors[0].iov_base, vectors[0].iov_len,
                                                     MSG_NOSIGNAL | MSG_DONTWAIT)
                                              : sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken >= 0) return {IoState::kDone, static_cast<std::size_t>(taken)};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoState::kBlocked};
    return {IsPeerGone(errno) ? IoState::kClosed : IoState::kFailed};
  }
}

// The same through `transport`, or over plain TCP where it is nullptr.
inline IoResult ReadThrough(Transport* transport, int fd, std::span<char> into) {
  return transport == nullptr ? ReadPlain(fd, into) : transport->Read(fd, into);
}
inline IoResult WriteThrough(Transport* transport, int fd, std::span<const iovec> vectors) {
  return transport == nullptr ? WritePlain(fd, vectors) : transport->Write(fd, vectors);
}

}  // namespace atalaya::cloud_server
