#pragma once

#include <memory>
#include <span>
#include <vector>

#include "stress/ledger.h"
#include "stress/worker.h"

namespace atalaya::stress {

// Holds what publishers sent against what subscribers have, across all workers, once they have
// ended: the figures of each flow. A subscriber that was not there when the load began is left out.
std::vector<LedgerFigures> AuditDeliveries(const LoadPlan& plan,
                                           std::span<const std::unique_ptr<Worker>> workers);

}  // namespace atalaya::stress
