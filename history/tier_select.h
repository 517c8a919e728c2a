#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "history/database.h"
#include "history/head.h"
#include "history/readers.h"
#include "telemetry/series_source.h"

namespace atalaya::history {

// Answers a request for buckets (`bucket_ms` a minute or an hour): from the tiers, and where they
// do not reach yet from the samples, summed up on the way. A read that fails is returned in
// `read_failure`, and the answer holds what there was. kInvalid for another width, kLimit as
// Select.
Result<std::vector<telemetry::SeriesSamples>> SelectBuckets(const Head& head, Readers& readers,
                                                            std::uint64_t generation,
                                                            Counters& counters,
                                                            const telemetry::SelectRequest& request,
                                                            Status& read_failure);

// Merges what memory has into what chunks gave, by rising time, each time once.
void MergeSamples(std::span<const telemetry::Sample> head, std::vector<telemetry::Sample>& stored);

}  // namespace atalaya::history
