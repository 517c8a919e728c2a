#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace atalaya::bench {

// Ends the meter with 1 and `message` on stderr: a measurement that failed has no figures at all.
template <typename... Args>
[[noreturn]] void Quit(fmt::format_string<Args...> format, Args&&... args) {
  std::fprintf(stderr, "packet_meter: %s\n",
               fmt::format(format, std::forward<Args>(args)...).c_str());
  std::exit(1);
}

}  // namespace atalaya::bench
