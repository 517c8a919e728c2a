#include "cloud_server/durability.h"

#include "base/log.h"

namespace atalaya::cloud_server {

Result<std::unique_ptr<Durability>> Durability::Open(const DurabilityOptions& options,
                                                     DurableState* state) {
  const auto apply = [&](JournalPosition, std::string_view record) { state->Apply(record); };
  Result<std::unique_ptr<Journal>> journal =
      Journal::Open({options.folder, options.segment_bytes, options.files}, apply);
  if (!journal) return Forward(journal.error());
  const JournalReport& report = (*journal)->report();
  if (report.records > 0) {
    LogInfo("journal read: {} records, {} lost to damage, {} unreadable", report.records,
            report.lost_records, state->unreadable());
  }
  return std::unique_ptr<Durability>(new Durability(std::move(*journal), state->next_id()));
}

}  // namespace atalaya::cloud_server
