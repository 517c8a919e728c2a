#pragma once

namespace atalaya::exporter {

inline constexpr double kNsPerSecond = 1e9;
inline constexpr double kTicksPerSecond = 100;  // USER_HZ, which is part of the kernel's ABI.

}  // namespace atalaya::exporter
