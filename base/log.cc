#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "base/clock.h"

namespace atalaya {
namespace {

std::atomic<LogLevel> least_level{LogLevel::kInfo};

std::string& Program() {
  static std::string name = "atalaya";
  return name;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void AppendEscaped(std::string_view text, std::string* line) {
  for (const char c : text) {
    if (IsControl(c)) {
      fmt::format_to(std::back_inserter(*line), "\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      *line += c;
    }
  }
}

}  // namespace

void InitLog(std::string_view program, LogLevel level) {
  Program() = program;
  least_level = level;
}

Result<LogLevel> ParseLogLevel(std::string_view text) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (text == LevelName(level)) return level;
  }
  return Fail(ErrorCode::kInvalid, "\"{}\" is not a log level (debug, info, warning or error)",
              text);
}

void LogLine(LogLevel level, std::string_view text) {
  if (level < least_level.load(std::memory_order_relaxed)) return;
  std::string line =
      fmt::format("{} {} {}: ", FormatRfc3339(SystemClock().NowMs()), LevelName(level), Program());
  AppendEscaped(text, &line);
  line += '\n';
  // One write for a whole line, so that those of several threads do not mix. A stderr that takes
  // nothing is nobody's to tell.
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t wrote = write(STDERR_FILENO, rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

}  // namespace atalaya
