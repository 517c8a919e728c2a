#pragma once

#include <string>

#include "stress/run_record.h"
#include "stress/verdict.h"

namespace atalaya::stress {

inline constexpr int kReportSchemaVersion = 1;

// The record and its verdict as JSON: times in nanoseconds, shares in percent. The fields are
// listed in docs/reference/cloud_stress.md.
std::string ReportJson(const RunRecord& record, const Verdict& verdict);

}  // namespace atalaya::stress
