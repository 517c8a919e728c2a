#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atalaya {

inline constexpr std::size_t kDefaultFileLimitBytes = 16u << 20;

// Reads a whole file. kNotFound where it is not there, kLimit where it holds more than
// `limit_bytes`, else kIo.
Result<std::string> ReadFile(const std::filesystem::path& path,
                             std::size_t limit_bytes = kDefaultFileLimitBytes);

// Replaces a file so that a reader, or a crash, sees the old content or the new, never a part:
// written beside, fsynced, renamed, folder fsynced. `mode` as in chmod.
Status WriteFileAtomic(const std::filesystem::path& path, std::string_view content,
                       unsigned mode = 0644);

// For files with keys or passwords: kRefused where others than owner and group may read or write
// `path`, or the group may write it; kNotFound or kIo where it cannot be looked at.
Status CheckSecretFile(const std::filesystem::path& path);

// Raises the soft limit of open files to the hard one: that of 1,024 is for programs that use
// select. A refusal is logged.
void RaiseFileLimit();

}  // namespace atalaya
