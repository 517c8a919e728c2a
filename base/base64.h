#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace atalaya {

// RFC 4648 section 4, with padding.
std::string EncodeBase64(std::string_view bytes);

// The bytes that `text` stands for, padded or not; nothing where it holds another character.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace atalaya
