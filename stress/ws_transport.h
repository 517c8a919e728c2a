#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "stress/transport.h"

namespace atalaya::stress {

// The client's side of WebSocket (RFC 6455) over another transport: the request that opens it, then
// binary frames. What leaves in one Write is one message. Frames are masked with zeros, which
// changes nothing for the server's work and spares the generator a copy of what it sends.
class WsTransport : public Transport {
 public:
  WsTransport(std::unique_ptr<Transport> under, const Target& target);

  Outcome Open(int fd) override;
  Outcome Read(int fd, std::span<char> into, std::size_t* got) override;
  Outcome Write(int fd, std::string_view bytes, std::size_t* taken) override;
  std::string error() const override { return error_.empty() ? under_->error() : error_; }

 private:
  Outcome ReadHead(int fd);
  Outcome FlushOwn(int fd);
  // Moves the packets' bytes of the frames in `bytes` to their front; returns how many, or sets
  // end_.
  std::size_t Unframe(std::span<char> bytes);
  bool TakeHeader(char byte);  // True once the header is whole.
  void EndControlFrame();

  std::unique_ptr<Transport> under_;
  std::string own_;      // Request and headers: goes out before packets.
  std::string answers_;  // To pings; they wait for the end of the frame under way.
  std::string head_;     // Of the answer to the request; then of the frame that has begun.
  std::string control_;  // Payload of a control frame.
  bool under_open_ = false;
  bool open_ = false;
  bool in_frame_ = false;
  std::uint8_t opcode_ = 0;
  std::uint64_t in_left_ = 0;   // Payload of the frame that is being read.
  std::uint64_t out_left_ = 0;  // Payload that the frame under way still takes.
  Outcome end_ = Outcome::kDone;
  std::string error_;
};

}  // namespace atalaya::stress
