#pragma once

#include "mqtt/decode.h"
#include "mqtt/wire.h"

// For the decoder's own files.
namespace atalaya::mqtt {

// Which packet, or part of one, a property block belongs to.
enum class PropertyPlace : std::uint8_t {
  kConnect,
  kConnack,
  kPublish,
  kWill,
  kAck,
  kSubscribe,
  kSuback,
  kUnsubscribe,
  kDisconnect,
  kAuth,
};

// Takes a property block (its length and content) off the front of `reader` and validates it whole.
// A block that reaches beyond the packet spoils the reader and is kTruncated.
Decoded<Properties> TakeProperties(Reader* reader, PropertyPlace place);

}  // namespace atalaya::mqtt
