#pragma once

#include <optional>
#include <string>

#include "stress/baseline.h"
#include "stress/capacity.h"
#include "stress/run_record.h"
#include "stress/verdict.h"

namespace atalaya::stress {

// All that a report tells.
struct Report {
  RunRecord run;  // With a capacity: the last run at it, or the last of all.
  Verdict verdict;
  std::optional<CapacityRecord> capacity;
  std::optional<Comparison> comparison;

  int ExitCode() const;
};

inline constexpr int kReportSchemaVersion = 2;

// The report as one page: no network, no script, light and dark, fit for print. All texts from
// outside are escaped. The JSON is within it.
std::string ReportHtml(const Report& report);

// The same as JSON: times in nanoseconds, shares in percent. The fields are listed in
// docs/reference/cloud_stress.md.
std::string ReportJson(const Report& report);

// The timeline, a row for each second, with a line of names.
std::string ReportCsv(const RunRecord& record);

}  // namespace atalaya::stress
