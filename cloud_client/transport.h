#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atalaya::cloud_client {

// What a connection's bytes go through on their way to its socket. Non-blocking; the socket belongs
// to the connection and outlives this. Threads: the connection's.
class Transport {
 public:
  enum class Outcome {
    kDone,
    kWantRead,   // Again, with the same bytes, once the socket is readable.
    kWantWrite,  // Again, with the same bytes, once it is writable.
    kClosed,     // The server has closed.
    kFailed,     // See error().
  };
  virtual ~Transport() = default;
  virtual Outcome Read(std::span<char> into, std::size_t* got) = 0;
  virtual Outcome Write(std::string_view bytes, std::size_t* taken) = 0;
  virtual bool HasBuffered() const = 0;  // Read has bytes of which no event will tell.
  virtual void Shutdown() = 0;           // Nothing more will be written.
  virtual std::string error() const = 0;
};

// Plain TCP.
std::unique_ptr<Transport> MakePlainTransport(int fd);

// Makes transports that speak TLS (client.h shows its name only). Threads: any.
class Tls {
 public:
  virtual ~Tls() = default;
  // `server_name` is what the server's certificate must be for.
  virtual Result<std::unique_ptr<Transport>> Connect(int fd,
                                                     const std::string& server_name) const = 0;
};

}  // namespace atalaya::cloud_client
