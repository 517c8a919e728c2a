#pragma once

#include <string>

#include "stress/run_record.h"
#include "stress/verdict.h"

namespace atalaya::stress {

// The record and its verdict as one HTML page that needs neither network nor JavaScript: verdict
// first, then figures, charts (each also as a table), ledger, errors, the generator's health and
// the environment. All text is escaped.
std::string ReportHtml(const RunRecord& record, const Verdict& verdict);

}  // namespace atalaya::stress
