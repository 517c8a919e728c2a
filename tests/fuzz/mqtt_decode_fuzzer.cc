// Feeds bytes through framing and every decoder, as each version; what decodes as a PUBLISH must
// encode to the same bytes again.

#include <cstdint>

#include "base/check.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace {

using namespace atalaya::mqtt;

void DecodeOne(const Frame& frame, std::string_view bytes, Version version) {
  switch (frame.type) {
    case PacketType::kConnect:
      (void)DecodeConnect(frame);
      return;
    case PacketType::kConnack:
      (void)DecodeConnack(frame, version);
      return;
    case PacketType::kPublish:
      if (Decoded<Publish> packet = DecodePublish(frame, version)) {
        std::string again;
        EncodePublish(*packet, version, &again);
        ATALAYA_CHECK(again == bytes);
      }
      return;
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      (void)DecodeAck(frame, version);
      return;
    case PacketType::kSubscribe:
      (void)DecodeSubscribe(frame, version);
      return;
    case PacketType::kSuback:
    case PacketType::kUnsuback:
      (void)DecodeSuback(frame, version);
      return;
    case PacketType::kUnsubscribe:
      (void)DecodeUnsubscribe(frame, version);
      return;
    case PacketType::kPingreq:
    case PacketType::kPingresp:
      (void)DecodePing(frame);
      return;
    case PacketType::kDisconnect:
    case PacketType::kAuth:
      (void)DecodeDisconnect(frame, version);
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const Version version : {Version::k31, Version::k311, Version::k5}) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    while (true) {
      Decoded<Frame> frame = NextFrame(rest, 1u << 20);
      if (!frame || frame->size == 0) break;
      DecodeOne(*frame, rest.substr(0, frame->size), version);
      rest.remove_prefix(frame->size);
    }
  }
  return 0;
}
