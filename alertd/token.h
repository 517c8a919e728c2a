#pragma once

#include <string>

#include "base/result.h"

namespace atalaya::alertd {

inline constexpr char kTokenFileName[] = "token";  // In the storage folder.

// 32 hexadecimal digits from the kernel's randomness, for what must not be guessed.
std::string NewSecret();

// The token that a file holds, without white space at its end. kInvalid where it has less than 16
// characters or one that no header can carry, kRefused where others may read the file (as
// CheckSecretFile), else as ReadFile fails.
Result<std::string> ReadTokenFile(const std::string& path);

// The token in `path`, which is made (mode 0600) where there is none.
Result<std::string> ReadOrMakeTokenFile(const std::string& path);

}  // namespace atalaya::alertd
