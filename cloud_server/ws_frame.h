#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace atalaya::cloud_server {

// RFC 6455, section 7.4.1.
enum class WsClose : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupportedData = 1003,
  kNoStatus = 1005,  // Never on the wire: the peer's close frame had no code.
  kInvalidPayload = 1007,
  kPolicy = 1008,
  kTooBig = 1009,
  kInternalError = 1011,
};

enum class WsOpcode : std::uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

inline constexpr std::size_t kWsMaxHeader = 14;           // With a mask.
inline constexpr std::size_t kWsMaxControlPayload = 125;  // Section 5.5.

// Takes the frames of a client apart (RFC 6455, section 5), whatever pieces they come in. Payload
// of data frames is unmasked and handed on at once, so that a frame or message of any length takes
// no memory. Binary only: MQTT forbids text (MQTT-6.0.0-1).
class WsDecoder {
 public:
  // Takes `bytes` as they came from the client, moves the payload of data frames to their front,
  // unmasked, and returns its size. Once ended() it takes no more.
  std::size_t Decode(std::span<char> bytes);

  // The client has closed, or broke the protocol: what to answer a close frame with. 1000 to 1002
  // where it closed itself.
  bool ended() const { return end_ != End::kNone; }
  bool failed() const { return end_ == End::kFault; }
  WsClose close_code() const { return close_code_; }

  // The payload of the last ping that was not answered yet (section 5.5.3 lets earlier ones go).
  std::optional<std::string> TakePing();
  bool has_ping() const { return has_ping_; }

 private:
  enum class End : std::uint8_t { kNone, kClosed, kFault };

  std::size_t HeaderSize() const;  // As far as it is known by now.
  void BeginFrame();
  void TakePayload(std::span<char> payload);
  void EndFrame();
  void EndByPeer();
  void Fault(WsClose code);

  std::array<unsigned char, kWsMaxHeader> header_{};
  std::uint8_t header_bytes_ = 0;   // Of header_, so far.
  std::uint64_t payload_left_ = 0;  // Of the frame that has begun.
  std::array<char, 4> mask_{};
  std::uint8_t mask_at_ = 0;  // Where in mask_ the next payload byte stands.
  WsOpcode opcode_ = WsOpcode::kBinary;
  bool in_frame_ = false;
  bool in_message_ = false;  // A message has begun and its last frame has not come.
  bool has_ping_ = false;
  End end_ = End::kNone;
  WsClose close_code_ = WsClose::kNormal;
  std::string control_;  // Payload of the control frame that has begun.
  std::string ping_;
};

// Writes the header of an unmasked, final frame into `header`; returns how many bytes it has.
std::size_t EncodeWsHeader(WsOpcode opcode, std::uint64_t payload_bytes,
                           std::span<char, 10> header);

// A whole control frame; of `payload` at most kWsMaxControlPayload bytes.
std::string EncodeWsControl(WsOpcode opcode, std::string_view payload);
std::string EncodeWsClose(WsClose code);

}  // namespace atalaya::cloud_server
