#pragma once

#include <cstdint>

namespace atalaya::cloud_server {

// How far what MessageMemory says may be behind, for each thread.
inline constexpr std::int64_t kMemorySlackBytes = 64u << 10;

// Notes that message bodies of `bytes` were made, or, below 0, freed. A few nanoseconds; any
// thread.
void AccountMessage(std::int64_t bytes);
void SettleMessageAccount();  // What this thread has not said yet: before it ends.

// Bytes of the message bodies that are alive in this process: queued, in flight, retained, or on
// their way. Any thread.
std::int64_t MessageMemory();

}  // namespace atalaya::cloud_server
