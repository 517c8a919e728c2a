#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

struct ssl_st;

namespace atalaya::bench {

// A client's side of TLS over a non-blocking socket that it does not own.
class TlsStream {
 public:
  explicit TlsStream(int fd);

  enum class Wants { kNothing, kRead, kWrite };
  Wants Handshake();                   // kNothing: done. Quits where it fails.
  void Write(std::string_view bytes);  // A few, after the handshake; quits where they do not go.
  std::size_t Read(char* into, std::size_t bytes);  // 0: nothing for us has come yet.

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  std::unique_ptr<ssl_st, Free> ssl_;
};

}  // namespace atalaya::bench
