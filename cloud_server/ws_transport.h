#pragma once

#include <memory>
#include <string>

#include "cloud_server/transport.h"
#include "cloud_server/ws_frame.h"
#include "cloud_server/ws_upgrade.h"

namespace atalaya::cloud_server {

// WebSocket over TCP, or over another transport: the HTTP request that opens it, then frames. What
// leaves in one Write is one binary message. Contract and threads: Transport.
class WsTransport : public Transport {
 public:
  // `under` is nullptr for plain TCP.
  WsTransport(std::unique_ptr<Transport> under, std::shared_ptr<const OriginRule> origins)
      : under_(std::move(under)), opening_(std::make_unique<Opening>()) {
    opening_->origins = std::move(origins);
  }

  IoResult Read(int fd, std::span<char> into) override;
  bool HasUnread() const override;
  IoResult Write(int fd, std::span<const iovec> vectors) override;
  bool HasUnsent() const override;
  void Finish(int fd, telemetry::Stat reason) override;
  telemetry::Stat failure() const override;
  std::string PeerCommonName() const override;

 private:
  // Until the upgrade is done.
  struct Opening {
    std::string head;
    std::shared_ptr<const OriginRule> origins;
  };

  // Takes `bytes` of the request; returns how many frame bytes after it stand at their front.
  std::size_t Open(std::span<char> bytes);
  void QueueOwn();

  std::unique_ptr<Transport> under_;
  std::unique_ptr<Opening> opening_;  // nullptr once frames are exchanged.
  WsDecoder decoder_;
  std::string own_;               // Headers, answers: goes out before further payload.
  std::uint64_t frame_left_ = 0;  // Payload bytes that the frame under way still takes.
  IoState end_ = IoState::kDone;  // How it ended, once what came before was handed out.
  bool refused_ = false;          // The upgrade was.
};

}  // namespace atalaya::cloud_server
