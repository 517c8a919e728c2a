#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace atalaya {

// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of `bytes`, continued from `crc`, the value of what
// stands before them (0: nothing does). In hardware where the CPU has it. Threads: any.
std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0);

// The same in software on every CPU: what the other one is tested against.
std::uint32_t Crc32cPortable(std::span<const std::byte> bytes, std::uint32_t crc = 0);

}  // namespace atalaya
