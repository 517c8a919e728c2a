// Feeds bytes to the WebSocket decoder whole and in pieces (the first byte says how large): both
// must give the same payload, the same end and the same ping.

#include <cstdint>
#include <string>

#include "base/check.h"
#include "cloud_server/ws_frame.h"

namespace {

using namespace atalaya::cloud_server;

struct Outcome {
  std::string payload;
  bool ended = false;
  bool failed = false;
  WsClose code = WsClose::kNormal;
  std::string ping;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome DecodeInPieces(std::string bytes, std::size_t piece) {
  WsDecoder decoder;
  Outcome outcome;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::size_t size = std::min(piece, bytes.size() - at);
    const std::size_t kept = decoder.Decode({bytes.data() + at, size});
    ATALAYA_CHECK(kept <= size);
    outcome.payload.append(bytes, at, kept);
  }
  outcome.ended = decoder.ended();
  outcome.failed = decoder.failed();
  outcome.code = decoder.close_code();
  if (const std::optional<std::string> ping = decoder.TakePing()) {
    ATALAYA_CHECK(ping->size() <= kWsMaxControlPayload);
    outcome.ping = "ping:" + *ping;
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = DecodeInPieces(bytes, bytes.size());
  ATALAYA_CHECK(DecodeInPieces(bytes, data[0] % 32u + 1) == whole);
  ATALAYA_CHECK(whole.payload.size() <= bytes.size());
  return 0;
}
