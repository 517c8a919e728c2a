#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atalaya::alertd {

// Why a look failed, by the place where it did.
enum class ProbeFaultKind : std::uint8_t {
  kResolve,
  kConnection,  // Refused, unreachable, broken, closed too early.
  kTimeout,
  kTls,
  kAnswer,  // It is there, and says something else than it should.
  kState,   // A file's age or size, a command's verdict.
  kLimit,   // An answer longer than is read.
  kSystem,  // This machine does not let it look.
};

// As cloud_alertd_probes_failed_total{reason} has them, in the order of the enum.
inline constexpr std::array<std::string_view, 8> kProbeFaultNames = {
    "resolve", "connection", "timeout", "tls", "answer", "state", "limit", "system"};

struct ProbeFault {
  ProbeFaultKind kind = ProbeFaultKind::kConnection;
  std::string message;
};

// A sample of a series that the look brings beside probe_success and probe_duration_seconds.
struct ProbeValue {
  std::string_view metric;  // Lives as long as the program.
  double value = 0;
  std::string_view label = {};  // The same. "": none but the probe's own.
  std::string label_value = {};
};

struct ProbeOutcome {
  std::optional<ProbeFault> fault;  // None: all is well.
  std::vector<ProbeValue> values;
  std::string note;  // What the target said of itself, one line; "" where its kind says nothing.
};

}  // namespace atalaya::alertd
