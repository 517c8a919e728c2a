#include "cloud_server/ws_frame.h"

#include <algorithm>
#include <cstring>

#include "telemetry/utf8.h"

namespace atalaya::cloud_server {
namespace {

constexpr unsigned kFinal = 0x80;
constexpr unsigned kReserved = 0x70;
constexpr unsigned kOpcodeBits = 0x0f;
constexpr unsigned kMasked = 0x80;
constexpr unsigned kLengthBits = 0x7f;
constexpr unsigned kTwoByteLength = 126;
constexpr unsigned kEightByteLength = 127;
constexpr std::size_t kMaskBytes = 4;

std::uint64_t BigEndian(const unsigned char* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

// Which codes may stand in a close frame (section 7.4; 1012 to 1014 are IANA's).
bool MayBeSent(std::uint64_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

// `mask` begins at the first byte.
void Unmask(std::span<char> payload, std::array<char, kMaskBytes> mask) {
  std::uint64_t wide = 0;
  std::memcpy(&wide, mask.data(), kMaskBytes);
  std::memcpy(reinterpret_cast<char*>(&wide) + kMaskBytes, mask.data(), kMaskBytes);
  std::size_t at = 0;
  for (; at + sizeof wide <= payload.size(); at += sizeof wide) {
    std::uint64_t word = 0;
    std::memcpy(&word, payload.data() + at, sizeof word);
    word ^= wide;
    std::memcpy(payload.data() + at, &word, sizeof word);
  }
  for (; at < payload.size(); ++at) {
    payload[at] = static_cast<char>(payload[at] ^ mask[at % kMaskBytes]);
  }
}

}  // namespace

std::size_t WsDecoder::HeaderSize() const {
  if (header_bytes_ < 2) return 2;
  const unsigned length = header_[1] & kLengthBits;
  std::size_t size = 2 + kMaskBytes;
  if (length == kTwoByteLength) size += 2;
  if (length == kEightByteLength) size += 8;
  return size;
}

std::size_t WsDecoder::Decode(std::span<char> bytes) {
  std::size_t kept = 0;
  std::size_t at = 0;
  while (at < bytes.size() && !ended()) {
    if (!in_frame_) {
      header_[header_bytes_++] = static_cast<unsigned char>(bytes[at++]);
      if (header_bytes_ == 2 && (header_[1] & kMasked) == 0) Fault(WsClose::kProtocolError);
      if (header_bytes_ == HeaderSize()) BeginFrame();
      continue;
    }
    const std::size_t size =
        static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, bytes.size() - at));
    const std::span<char> payload = bytes.subspan(at, size);
    at += size;
    TakePayload(payload);
    if (opcode_ <= WsOpcode::kBinary) {
      if (kept + size != at) std::memmove(bytes.data() + kept, payload.data(), size);
      kept += size;
    }
    if (payload_left_ == 0) EndFrame();
  }
  return kept;
}

void WsDecoder::BeginFrame() {
  header_bytes_ = 0;
  const unsigned first = header_[0];
  const unsigned length = header_[1] & kLengthBits;
  const bool is_final = (first & kFinal) != 0;
  opcode_ = static_cast<WsOpcode>(first & kOpcodeBits);
  if ((first & kReserved) != 0) return Fault(WsClose::kProtocolError);
  const unsigned char* rest = header_.data() + 2;
  std::uint64_t size = length;
  std::uint64_t least = 0;  // A length takes as few bytes as it can (section 5.2).
  if (length == kTwoByteLength) {
    size = BigEndian(rest, 2);
    least = kTwoByteLength;
    rest += 2;
  } else if (length == kEightByteLength) {
    size = BigEndian(rest, 8);
    least = 0x10000;
    rest += 8;
  }
  if (size < least || size >> 63 != 0) return Fault(WsClose::kProtocolError);
  std::memcpy(mask_.data(), rest, kMaskBytes);
  mask_at_ = 0;
  payload_left_ = size;
  switch (opcode_) {
    case WsOpcode::kContinuation:
      if (!in_message_) return Fault(WsClose::kProtocolError);
      in_message_ = !is_final;
      break;
    case WsOpcode::kBinary:
      if (in_message_) return Fault(WsClose::kProtocolError);
      in_message_ = !is_final;
      break;
    case WsOpcode::kText:
      return Fault(WsClose::kUnsupportedData);
    case WsOpcode::kClose:
    case WsOpcode::kPing:
    case WsOpcode::kPong:
      if (!is_final || size > kWsMaxControlPayload) return Fault(WsClose::kProtocolError);
      break;
    default:
      return Fault(WsClose::kProtocolError);
  }
  in_frame_ = true;
  if (size == 0) EndFrame();
}

void WsDecoder::TakePayload(std::span<char> payload) {
  std::array<char, kMaskBytes> mask;
  for (std::size_t i = 0; i < kMaskBytes; ++i) mask[i] = mask_[(mask_at_ + i) % kMaskBytes];
  Unmask(payload, mask);
  mask_at_ = static_cast<std::uint8_t>((mask_at_ + payload.size()) % kMaskBytes);
  payload_left_ -= payload.size();
  if (opcode_ == WsOpcode::kPing || opcode_ == WsOpcode::kClose) {
    control_.append(payload.data(), payload.size());
  }
}

void WsDecoder::EndFrame() {
  in_frame_ = false;
  if (opcode_ == WsOpcode::kPing) {
    ping_ = std::move(control_);
    has_ping_ = true;
  }
  if (opcode_ == WsOpcode::kClose) EndByPeer();
  control_ = std::string();
}

void WsDecoder::EndByPeer() {
  if (control_.empty()) {
    end_ = End::kClosed;
    close_code_ = WsClose::kNormal;
    return;
  }
  if (control_.size() < 2) return Fault(WsClose::kProtocolError);
  const std::uint64_t code = BigEndian(reinterpret_cast<const unsigned char*>(control_.data()), 2);
  if (!MayBeSent(code)) return Fault(WsClose::kProtocolError);
  if (!telemetry::IsUtf8(std::string_view(control_).substr(2))) {
    return Fault(WsClose::kInvalidPayload);
  }
  end_ = End::kClosed;
  close_code_ = static_cast<WsClose>(code);
}

void WsDecoder::Fault(WsClose code) {
  end_ = End::kFault;
  close_code_ = code;
}

std::optional<std::string> WsDecoder::TakePing() {
  if (!has_ping_) return std::nullopt;
  has_ping_ = false;
  return std::move(ping_);
}

std::size_t EncodeWsHeader(WsOpcode opcode, std::uint64_t payload_bytes,
                           std::span<char, 10> header) {
  header[0] = static_cast<char>(kFinal | static_cast<unsigned>(opcode));
  std::size_t length_bytes = 0;
  if (payload_bytes < kTwoByteLength) {
    header[1] = static_cast<char>(payload_bytes);
  } else if (payload_bytes < 0x10000) {
    header[1] = static_cast<char>(kTwoByteLength);
    length_bytes = 2;
  } else {
    header[1] = static_cast<char>(kEightByteLength);
    length_bytes = 8;
  }
  for (std::size_t i = 0; i < length_bytes; ++i) {
    header[2 + i] = static_cast<char>(payload_bytes >> (8 * (length_bytes - 1 - i)) & 0xff);
  }
  return 2 + length_bytes;
}

std::string EncodeWsControl(WsOpcode opcode, std::string_view payload) {
  payload = payload.substr(0, kWsMaxControlPayload);
  char header[10];
  std::string frame(header, EncodeWsHeader(opcode, payload.size(), header));
  frame += payload;
  return frame;
}

std::string EncodeWsClose(WsClose code) {
  const auto number = static_cast<unsigned>(code);
  const char payload[] = {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
  return EncodeWsControl(WsOpcode::kClose, {payload, sizeof payload});
}

}  // namespace atalaya::cloud_server
