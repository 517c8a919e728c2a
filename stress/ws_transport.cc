#include "stress/ws_transport.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace atalaya::stress {
namespace {

constexpr std::uint8_t kBinary = 2, kClose = 8, kPing = 9, kPong = 10;
constexpr std::size_t kMaxHead = 8u << 10;
constexpr std::size_t kMaxControl = 125;
// The example of RFC 6455, section 1.3: a key and the answer that proves a WebSocket server.
constexpr char kKey[] = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr char kAccept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

std::string MaskedHeader(std::uint8_t opcode, std::uint64_t payload) {
  std::string header(1, static_cast<char>(0x80u | opcode));
  const std::size_t bytes = payload < 126 ? 0 : payload < 0x10000 ? 2 : 8;
  const std::uint64_t first = bytes == 0 ? payload : bytes == 2 ? 126 : 127;
  header += static_cast<char>(0x80u | first);
  for (std::size_t i = bytes; i > 0; --i) {
    header += static_cast<char>(payload >> (8 * (i - 1)) & 0xff);
  }
  return header.append(4, '\0');
}

}  // namespace

WsTransport::WsTransport(std::unique_ptr<Transport> under, const Target& target)
    : under_(std::move(under)),
      own_(
          fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
                      target.path, target.address.ToString(), kKey)) {}

Transport::Outcome WsTransport::Open(int fd) {
  if (!under_open_) {
    if (const Outcome outcome = under_->Open(fd); outcome != Outcome::kDone) return outcome;
    under_open_ = true;
  }
  if (const Outcome outcome = FlushOwn(fd); outcome != Outcome::kDone) return outcome;
  return open_ ? Outcome::kDone : ReadHead(fd);
}

// Byte by byte, so that nothing of the first frame is taken with it.
Transport::Outcome WsTransport::ReadHead(int fd) {
  while (!head_.ends_with("\r\n\r\n")) {
    char byte = 0;
    std::size_t got = 0;
    const Outcome outcome = under_->Read(fd, {&byte, 1}, &got);
    if (outcome != Outcome::kDone) return outcome;
    head_.append(&byte, got);
    if (head_.size() > kMaxHead) break;
  }
  if (!head_.starts_with("HTTP/1.1 101") || head_.find(kAccept) == std::string::npos) {
    error_ = "no WebSocket: " + head_.substr(0, head_.find('\r'));
    return Outcome::kFailed;
  }
  head_.clear();
  open_ = true;
  return Outcome::kDone;
}

Transport::Outcome WsTransport::FlushOwn(int fd) {
  while (!own_.empty()) {
    std::size_t taken = 0;
    const Outcome outcome = under_->Write(fd, own_, &taken);
    if (outcome != Outcome::kDone) return outcome;
    own_.erase(0, taken);
  }
  return Outcome::kDone;
}

Transport::Outcome WsTransport::Read(int fd, std::span<char> into, std::size_t* got) {
  *got = 0;
  if (end_ != Outcome::kDone) return end_;
  std::size_t raw = 0;
  if (const Outcome outcome = under_->Read(fd, into, &raw); outcome != Outcome::kDone) {
    return outcome;
  }
  *got = Unframe(into.first(raw));
  if (out_left_ == 0 && !answers_.empty()) {
    own_ += std::exchange(answers_, {});
    FlushOwn(fd);  // What the socket does not take now leaves with the next write.
  }
  return *got > 0 || end_ == Outcome::kDone ? Outcome::kDone : end_;
}

std::size_t WsTransport::Unframe(std::span<char> bytes) {
  std::size_t kept = 0;
  std::size_t at = 0;
  while (at < bytes.size() && end_ == Outcome::kDone) {
    if (!in_frame_) {
      in_frame_ = TakeHeader(bytes[at++]);
    } else {
      const auto size =
          static_cast<std::size_t>(std::min<std::uint64_t>(in_left_, bytes.size() - at));
      if (opcode_ <= kBinary) {
        std::memmove(bytes.data() + kept, bytes.data() + at, size);
        kept += size;
      } else {
        control_.append(bytes.data() + at, size);
      }
      at += size;
      in_left_ -= size;
    }
    if (in_frame_ && in_left_ == 0) {
      in_frame_ = false;
      if (opcode_ > kBinary) EndControlFrame();
    }
  }
  return kept;
}

bool WsTransport::TakeHeader(char byte) {
  head_ += byte;
  const auto at = [this](std::size_t i) { return static_cast<unsigned char>(head_[i]); };
  if (head_.size() < 2) return false;
  const unsigned length = at(1) & 0x7fu;
  const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (head_.size() < 2 + more) return false;
  opcode_ = at(0) & 0x0fu;
  in_left_ = more == 0 ? length : 0;
  for (std::size_t i = 0; i < more; ++i) in_left_ = in_left_ << 8 | at(2 + i);
  // The server sends no masks, no extensions, no text.
  const bool control = opcode_ > kBinary;
  if ((at(1) & 0x80u) != 0 || (at(0) & 0x70u) != 0 || opcode_ == 1 ||
      (control && in_left_ > kMaxControl)) {
    error_ = "a WebSocket frame that no MQTT server sends";
    end_ = Outcome::kFailed;
  }
  head_.clear();
  return true;
}

void WsTransport::EndControlFrame() {
  if (opcode_ == kClose) end_ = Outcome::kClosed;
  if (opcode_ == kPing) answers_ += MaskedHeader(kPong, control_.size()) + control_;
  control_.clear();
}

Transport::Outcome WsTransport::Write(int fd, std::string_view bytes, std::size_t* taken) {
  *taken = 0;
  if (out_left_ == 0) {
    own_ += std::exchange(answers_, {}) + MaskedHeader(kBinary, bytes.size());
    out_left_ = bytes.size();
  }
  if (const Outcome outcome = FlushOwn(fd); outcome != Outcome::kDone) return outcome;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(out_left_, bytes.size()));
  const Outcome outcome = under_->Write(fd, bytes.substr(0, size), taken);
  if (outcome == Outcome::kDone) out_left_ -= *taken;
  return outcome;
}

}  // namespace atalaya::stress
