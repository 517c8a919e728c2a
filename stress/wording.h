#pragma once

#include <cstdint>
#include <string>

namespace atalaya::stress {

// Figures as people read them.
std::string WordCount(std::uint64_t count);  // "1,234,567"
std::string WordLatency(std::int64_t ns);    // "840 ns", "12.3 us", "4.56 ms", "1.20 s"
std::string WordBytes(std::uint64_t bytes);  // "512 B", "4.2 MB"
std::string WordNumber(double value);        // Three significant digits, grouped: "1,230", "0.25"
std::string WordPercent(double percent);     // "12.3 %"
std::string WordSeconds(std::int64_t ns);    // "2.50 s"

}  // namespace atalaya::stress
