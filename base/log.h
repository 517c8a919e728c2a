#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/result.h"

namespace atalaya {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Sends log lines to stderr as "2026-11-21T00:36:06.123Z warning cloud_alertd: text". Call once,
// before the first thread.
void InitLog(std::string_view program, LogLevel level);

// "debug", "info", "warning", "error"; anything else is kInvalid.
Result<LogLevel> ParseLogLevel(std::string_view text);

// Writes one line. Control characters in `text` are escaped, so that a hostile client id cannot
// forge a line. Threads: any. Blocks for the write only.
void LogLine(LogLevel level, std::string_view text);

template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace atalaya
