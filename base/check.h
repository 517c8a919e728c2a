#pragma once

namespace atalaya {

// Ends the process with the place and the condition on stderr. For a programmer's error only; bad
// input is a Result.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace atalaya

// Always on, in release builds too.
#define ATALAYA_CHECK(condition)                                              \
  do {                                                                        \
    if (!(condition)) ::atalaya::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)
