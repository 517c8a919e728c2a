#include "base/check.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/result.h"

namespace atalaya {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

std::string ErrnoText(int error_number) {
  char buffer[128];
  return strerror_r(error_number, buffer, sizeof buffer);
}

}  // namespace atalaya
