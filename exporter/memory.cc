#include "exporter/memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>

#include "base/file.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

std::optional<std::uintptr_t> ParseAddress(std::string_view text) {
  std::uintptr_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (parsed.ec != std::errc()) return std::nullopt;
  return value;
}

}  // namespace

void ShareOneHeap() { mallopt(M_ARENA_MAX, 1); }

void ReleaseStartupMemory() {
  malloc_trim(0);
  const std::string maps = ReadFile("/proc/self/maps").value_or("");
  std::string_view rest = maps;
  while (!rest.empty()) {
    // "7f12-7f34 r-xp 00026000 08:01 123 /usr/lib/libc.so.6"
    std::string_view line = TakeLine(rest);
    const std::string_view range = TakeWord(line);
    const std::string_view permissions = TakeWord(line);
    // Code only: it is never written, so nothing is lost with it.
    if (permissions != "r-xp" || line.find('/') == line.npos) continue;
    const std::size_t dash = range.find('-');
    const auto begin = ParseAddress(range.substr(0, dash));
    const auto end = dash == range.npos ? begin : ParseAddress(range.substr(dash + 1));
    if (begin && end && *begin < *end) {
      madvise(reinterpret_cast<void*>(*begin), *end - *begin, MADV_DONTNEED);
    }
  }
}

}  // namespace atalaya::exporter
