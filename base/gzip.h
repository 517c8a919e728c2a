#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace atalaya {

// gzip (RFC 1952) at level 1: scrapes are sent once and read once.
std::string GzipCompress(std::string_view plain);

// Takes `limit_bytes` of memory meanwhile. kInvalid where `compressed` is no gzip, kLimit where it
// grows over them.
Result<std::string> GzipDecompress(std::string_view compressed, std::size_t limit_bytes);

}  // namespace atalaya
