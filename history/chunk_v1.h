#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/sample.h"

namespace atalaya::history {

// Unpacks what stands behind the first byte of a chunk of format 1, which older files hold: varint
// count; varint first time; 8 bytes first value, low byte first; then a bit stream, high bit first,
// with a time and a value for each further sample.
//   time: the distance's change in ms:  0 -> 0;  10 + 6 bits;  110 + 10 bits;  1110 + 16 bits;
//   1111 + 64 bits, each two's complement.
//   value: the XOR with the value before, as history/xor_stream.h.
// kDamaged where it is no whole chunk; `out` may then hold a part of it.
Status DecodeChunkV1(std::string_view bytes, std::vector<telemetry::Sample>& out);

}  // namespace atalaya::history
