#include "exporter/kernel_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace atalaya::exporter {
namespace {

constexpr std::size_t kFirstBufferBytes = 4096;
constexpr std::size_t kSmallFileBytes = 4096;
constexpr std::string_view kSpace = " \t\r\n";

thread_local std::uint64_t unreadable_values = 0;

}  // namespace

Result<std::string_view> KernelFile::Read() {
  const bool was_open = static_cast<bool>(fd_);
  Result<std::string_view> content = ReadOpen();
  // What was behind the old descriptor may be gone, and a new one in its place.
  if (!content && was_open) content = ReadOpen();
  return content;
}

Result<std::string_view> KernelFile::ReadOpen() {
  if (!fd_) {
    fd_.Reset(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd_) {
      const ErrorCode code = errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
      return Fail(code, "{}: cannot open: {}", path_.string(), ErrnoText(errno));
    }
  }
  if (buffer_.empty()) buffer_.resize(kFirstBufferBytes);
  std::size_t have = 0;
  while (true) {
    const ssize_t got =
        pread(fd_.get(), buffer_.data() + have, buffer_.size() - have, static_cast<off_t>(have));
    if (got < 0) {
      const int error = errno;
      fd_.Reset();
      return Fail(ErrorCode::kIo, "{}: cannot read: {}", path_.string(), ErrnoText(error));
    }
    have += static_cast<std::size_t>(got);
    // A short read of records says nothing: the kernel stops where the next would not fit its page.
    if (got == 0 || (shape_ == FileShape::kWhole && have < buffer_.size()))
      return std::string_view(buffer_).substr(0, have);
    if (buffer_.size() >= kMaxKernelFileBytes) {
      return Fail(ErrorCode::kLimit, "{}: larger than {} bytes", path_.string(),
                  kMaxKernelFileBytes);
    }
    if (have == buffer_.size()) buffer_.resize(buffer_.size() * 2);
  }
}

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

std::string_view TakeWord(std::string_view& line) {
  std::size_t begin = 0;
  while (begin < line.size() && (line[begin] == ' ' || line[begin] == '\t')) ++begin;
  std::size_t end = begin;
  while (end < line.size() && line[end] != ' ' && line[end] != '\t') ++end;
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

std::uint64_t UnreadableValues() { return unreadable_values; }
void CountUnreadableValue() { ++unreadable_values; }

std::string_view TrimSpace(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::optional<std::string> ReadTrimmed(const std::filesystem::path& path) {
  const Result<std::string> content = ReadFile(path, kSmallFileBytes);
  if (!content) return std::nullopt;
  return std::string(TrimSpace(*content));
}

}  // namespace atalaya::exporter
