#include "cloud_server/tls_transport.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/log.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

constexpr std::size_t kRecordBytes = 16u << 10;  // The most that one TLS record carries.

// The front of `vectors` in one piece: where it stands already, or copied into `scratch`. How much
// of it depends on the bytes alone, as TlsStream::Write wants after it was blocked.
std::string_view Gather(std::span<const iovec> vectors, std::span<char> scratch) {
  if (vectors.front().iov_len >= scratch.size()) {
    return {static_cast<const char*>(vectors.front().iov_base), scratch.size()};
  }
  std::size_t gathered = 0;
  for (const iovec& vector : vectors) {
    const std::size_t size = std::min(vector.iov_len, scratch.size() - gathered);
    std::memcpy(scratch.data() + gathered, vector.iov_base, size);
    gathered += size;
    if (gathered == scratch.size()) break;
  }
  return {scratch.data(), gathered};
}

}  // namespace

IoResult TlsTransport::Read(int, std::span<char> into) {
  IoResult result;
  const TlsStream::Outcome outcome = stream_->Read(into, &result.bytes);
  read_wants_write_ = outcome == TlsStream::Outcome::kWantWrite;
  switch (outcome) {
    case TlsStream::Outcome::kDone:
      break;
    case TlsStream::Outcome::kWantRead:
    case TlsStream::Outcome::kWantWrite:
      result.state = IoState::kBlocked;
      break;
    case TlsStream::Outcome::kClosed:
      result.state = IoState::kClosed;
      break;
    case TlsStream::Outcome::kFailed:
      LogDebug("TLS: {}", stream_->error());
      result.state = IoState::kFailed;
      break;
  }
  return result;
}

IoResult TlsTransport::Write(int, std::span<const iovec> vectors) {
  IoResult result;
  TlsStream::Outcome outcome = TlsStream::Outcome::kDone;
  if (vectors.empty()) {
    outcome = stream_->Handshake();
    read_wants_write_ = outcome == TlsStream::Outcome::kWantWrite;
    // It waits for the peer now: that is the reader's matter.
    if (outcome == TlsStream::Outcome::kWantRead) return result;
  } else {
    thread_local std::array<char, kRecordBytes> scratch;
    outcome = stream_->Write(Gather(vectors, scratch), &result.bytes);
  }
  if (outcome == TlsStream::Outcome::kWantWrite) result.state = IoState::kBlocked;
  // Packets leave after the handshake only, and then a write never waits for the peer.
  if (outcome == TlsStream::Outcome::kWantRead || outcome == TlsStream::Outcome::kFailed) {
    result.state = IoState::kFailed;
  }
  if (outcome == TlsStream::Outcome::kClosed) result.state = IoState::kClosed;
  return result;
}

void TlsTransport::Finish(int, Stat) { stream_->Shutdown(); }

Stat TlsTransport::failure() const {
  return stream_->certificate_refused() ? Stat::kClosedCertificate : Stat::kClosedTls;
}

}  // namespace atalaya::cloud_server
