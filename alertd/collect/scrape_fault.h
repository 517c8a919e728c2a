#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace atalaya::alertd {

// Why a scrape failed, by the place where it did.
enum class ScrapeFaultKind : std::uint8_t {
  kConnection,
  kTimeout,
  kStatus,  // Any answer but 200.
  kBodyLimit,
  kMemoryLimit,  // kMaxPageBytesTogether.
  kSampleLimit,
  kLabelLimit,
  kSyntax,
};

// As cloud_alertd_scrapes_failed_total{reason} has them, in the order of the enum.
inline constexpr std::array<std::string_view, 8> kScrapeFaultNames = {
    "connection",   "timeout",      "status",      "body_limit",
    "memory_limit", "sample_limit", "label_limit", "syntax"};

struct ScrapeFault {
  ScrapeFaultKind kind = ScrapeFaultKind::kConnection;
  std::string message;
};

}  // namespace atalaya::alertd
