#pragma once

#include <memory>

#include "base/tls.h"
#include "cloud_server/transport.h"

namespace atalaya::cloud_server {

// TLS over the socket. Contract and threads: Transport.
class TlsTransport : public Transport {
 public:
  explicit TlsTransport(std::unique_ptr<TlsStream> stream) : stream_(std::move(stream)) {}

  IoResult Read(int fd, std::span<char> into) override;
  bool HasUnread() const override { return stream_->HasBuffered(); }
  IoResult Write(int fd, std::span<const iovec> vectors) override;
  bool HasUnsent() const override { return read_wants_write_; }
  void Finish(int fd, telemetry::Stat reason) override;
  telemetry::Stat failure() const override;
  std::string PeerCommonName() const override { return stream_->PeerCommonName(); }

 private:
  std::unique_ptr<TlsStream> stream_;
  bool read_wants_write_ = false;  // The handshake waits for the socket to take more.
};

}  // namespace atalaya::cloud_server
