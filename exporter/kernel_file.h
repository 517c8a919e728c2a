#pragma once

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace atalaya::exporter {

// How the kernel hands out a file: records one by one, so that only an empty read says that it
// ended; or whole, so that a read that leaves room in the buffer has seen the end.
enum class FileShape { kRecords, kWhole };

// A file of procfs or sysfs that is read again and again: it stays open, and its content lands in
// one buffer that is kept.
// Threads: one at a time. Blocks as long as the kernel takes to answer.
class KernelFile {
 public:
  explicit KernelFile(std::filesystem::path path, FileShape shape = FileShape::kRecords)
      : path_(std::move(path)), shape_(shape) {}

  // The whole content, valid until the next call. kNotFound where there is no such file, kLimit
  // over kMaxKernelFileBytes, else kIo. A file that went away and came back is opened anew.
  Result<std::string_view> Read();

  const std::filesystem::path& path() const { return path_; }

 private:
  Result<std::string_view> ReadOpen();

  std::filesystem::path path_;
  FileShape shape_;
  UniqueFd fd_;
  std::string buffer_;
};

inline constexpr std::size_t kMaxKernelFileBytes = 16u << 20;

// Takes the next line off `text`, without its end.
std::string_view TakeLine(std::string_view& text);

// Takes the next word off `line`, past any blanks; "" at the end.
std::string_view TakeWord(std::string_view& line);

// All of `word` as a number; nothing where it is none.
template <typename T>
std::optional<T> ParseNumber(std::string_view word) {
  T value{};
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
  if (word.empty() || parsed.ec != std::errc() || parsed.ptr != word.data() + word.size())
    return std::nullopt;
  return value;
}

// How many values the calling thread has read that were none: files that are broken or half
// written.
std::uint64_t UnreadableValues();
void CountUnreadableValue();

// ParseNumber for a value of the kernel's: a word that is no number counts as unreadable.
template <typename T>
std::optional<T> ParseValue(std::string_view word) {
  const std::optional<T> value = ParseNumber<T>(word);
  if (!value && !word.empty()) CountUnreadableValue();
  return value;
}

std::string_view TrimSpace(std::string_view text);

// The content of a small file without the space around it; nothing where it cannot be read.
std::optional<std::string> ReadTrimmed(const std::filesystem::path& path);

}  // namespace atalaya::exporter
