#pragma once

#include <cstddef>

namespace atalaya::promql {

// What must be left for the leaves of a recursion: a source's Select, a regular expression.
inline constexpr std::size_t kStackReserveBytes = 48u << 10;

// Whether less than that is left of the calling thread's stack. A query of kMaxDepth levels takes
// about half a MiB, and an HTTP server's threads may have a tenth of it: such a thread refuses what
// is too deep for it, and does not crash. A few nanoseconds after the first call of a thread.
bool StackIsLow();

}  // namespace atalaya::promql
