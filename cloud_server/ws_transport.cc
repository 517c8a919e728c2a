#include "cloud_server/ws_transport.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

constexpr std::size_t kVectors = 64;  // Of one Write, with that of the transport's own bytes.

WsClose CloseCodeOf(Stat reason) {
  switch (reason) {
    case Stat::kClosedDisconnect:
      return WsClose::kNormal;
    case Stat::kClosedMalformed:
    case Stat::kClosedProtocolError:
      return WsClose::kProtocolError;
    case Stat::kClosedTooLarge:
      return WsClose::kTooBig;
    case Stat::kClosedServerStopping:
      return WsClose::kGoingAway;
    case Stat::kClosedIoError:
      return WsClose::kInternalError;
    default:
      return WsClose::kPolicy;
  }
}

}  // namespace

IoResult WsTransport::Read(int fd, std::span<char> into) {
  if (end_ != IoState::kDone) return {end_};
  IoResult result = ReadThrough(under_.get(), fd, into);
  if (result.bytes == 0) return result;
  std::span<char> bytes = into.first(result.bytes);
  if (opening_ != nullptr) bytes = bytes.first(Open(bytes));
  result.bytes = opening_ == nullptr && !refused_ ? decoder_.Decode(bytes) : 0;
  if (decoder_.ended()) end_ = decoder_.failed() ? IoState::kFailed : IoState::kClosed;
  if (refused_) end_ = IoState::kFailed;
  if (result.bytes == 0) result.state = end_;
  return result;
}

bool WsTransport::HasUnread() const {
  return end_ != IoState::kDone || (under_ != nullptr && under_->HasUnread());
}

std::size_t WsTransport::Open(std::span<char> bytes) {
  std::string& head = opening_->head;
  const std::size_t before = head.size();
  head.append(bytes.data(), std::min(bytes.size(), kUpgradeHeadBytes - before));
  Upgrade upgrade = AnswerUpgrade(head, *opening_->origins);
  if (upgrade.head_bytes == 0) return 0;
  own_ += upgrade.reply;
  refused_ = !upgrade.accepted;
  opening_.reset();
  const std::size_t used = upgrade.head_bytes - before;
  std::memmove(bytes.data(), bytes.data() + used, bytes.size() - used);
  return bytes.size() - used;
}

// Control frames stand between frames, never in one. One answer at a time: who asks without reading
// the answers fills no memory.
void WsTransport::QueueOwn() {
  if (frame_left_ > 0 || !own_.empty()) return;
  if (const std::optional<std::string> ping = decoder_.TakePing()) {
    own_ += EncodeWsControl(WsOpcode::kPong, *ping);
  }
}

IoResult WsTransport::Write(int fd, std::span<const iovec> vectors) {
  QueueOwn();
  vectors = vectors.first(std::min(vectors.size(), kVectors - 1));
  if (frame_left_ == 0) {
    for (const iovec& vector : vectors) frame_left_ += vector.iov_len;
    char header[10];
    if (frame_left_ > 0) {
      own_.append(header, EncodeWsHeader(WsOpcode::kBinary, frame_left_, header));
    }
  }
  std::array<iovec, kVectors> wire;
  std::size_t count = 0;
  if (!own_.empty()) wire[count++] = {own_.data(), own_.size()};
  std::uint64_t left = frame_left_;
  for (const iovec& vector : vectors) {
    const std::size_t size =
        static_cast<std::size_t>(std::min<std::uint64_t>(vector.iov_len, left));
    if (size > 0) wire[count++] = {vector.iov_base, size};
    left -= size;
  }
  IoResult result = WriteThrough(under_.get(), fd, {wire.data(), count});
  const std::size_t own = std::min(result.bytes, own_.size());
  own_.erase(0, own);
  if (own_.empty()) own_ = std::string();
  result.bytes -= own;
  frame_left_ -= result.bytes;
  return result;
}

bool WsTransport::HasUnsent() const {
  return !own_.empty() || (frame_left_ == 0 && decoder_.has_ping()) ||
         (under_ != nullptr && under_->HasUnsent());
}

void WsTransport::Finish(int fd, Stat reason) {
  if (opening_ == nullptr && !refused_ && frame_left_ == 0) {
    own_ += EncodeWsClose(decoder_.ended() ? decoder_.close_code() : CloseCodeOf(reason));
    (void)Write(fd, {});
  }
  if (under_ != nullptr) under_->Finish(fd, reason);
}

Stat WsTransport::failure() const {
  if (end_ != IoState::kFailed) return under_ != nullptr ? under_->failure() : Stat::kClosedIoError;
  return refused_ ? Stat::kClosedUpgrade : Stat::kClosedWebSocket;
}

std::string WsTransport::PeerCommonName() const {
  return under_ != nullptr ? under_->PeerCommonName() : "";
}

}  // namespace atalaya::cloud_server
