#pragma once

#include <string>

namespace atalaya::alertd {

// As the functions of these names in Prometheus's template reference.
std::string Humanize(double value);                  // "1.235k", "12.5m"
std::string Humanize1024(double value);              // "1.5Gi"
std::string HumanizeDuration(double seconds);        // "1d 2h 3m 4s", "1.5s", "20ms"
std::string HumanizePercentage(double ratio);        // "12.34%"
std::string HumanizeTimestamp(double unix_seconds);  // "2026-01-02 15:04:05.5 +0000 UTC"

// %.4g as Go prints it.
std::string FourDigits(double value);

}  // namespace atalaya::alertd
