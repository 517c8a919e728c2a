#pragma once

#include <string>

#include "stress/report.h"

// The sections of the report's page, as markup; "" where a run has nothing of the kind.
namespace atalaya::stress {

// report_load.cc: what was asked for and how it went.
std::string ObjectivesSection(const Report& report);
std::string CapacitySection(const Report& report);
std::string TimelineSection(const RunRecord& record);
std::string LatencySection(const RunRecord& record);
std::string PhasesSection(const RunRecord& record);

// report_target.cc: what the target did.
std::string FaultsSection(const RunRecord& record);
std::string LedgerSection(const RunRecord& record);
std::string ConnectionsSection(const RunRecord& record);
std::string ServerSection(const RunRecord& record);
std::string ComparisonSection(const Report& report);

// report_ground.cc: what the figures stand on.
std::string GeneratorSection(const Report& report);
std::string EnvironmentSection(const RunRecord& record);
std::string DataSection(const Report& report);

}  // namespace atalaya::stress
