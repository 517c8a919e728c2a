#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/tls.h"
#include "stress/target.h"

namespace atalaya::stress {

// What stands between a connection's packets and its socket where that is more than TCP. Nothing
// here blocks or raises SIGPIPE. Threads: one at a time.
class Transport {
 public:
  enum class Outcome {
    kDone,
    kBlocked,  // Again, with the same bytes in front, when the socket has moved on.
    kClosed,   // The server has closed.
    kFailed,   // error() says how.
  };
  virtual ~Transport() = default;

  // Makes the handshake; kDone once packets may flow.
  virtual Outcome Open(int fd) = 0;
  // kDone: `got` bytes of packets came; they may be none where what came was the transport's own.
  virtual Outcome Read(int fd, std::span<char> into, std::size_t* got) = 0;
  // kDone: `taken` of `bytes` were sent; they may be fewer.
  virtual Outcome Write(int fd, std::string_view bytes, std::size_t* taken) = 0;
  virtual std::string error() const = 0;
};

// Makes the transports of one target. Threads: any; immutable.
class TransportMaker {
 public:
  // Reads certificates where the target has TLS; errors as TlsContext::ForClient.
  static Result<TransportMaker> Create(const Target& target);

  // Over a connected socket; nullptr for plain TCP. kIo where there is no memory.
  Result<std::unique_ptr<Transport>> Make(int fd) const;

 private:
  explicit TransportMaker(const Target& target) : target_(target) {}
  Target target_;
  std::shared_ptr<const TlsContext> tls_;
};

}  // namespace atalaya::stress
