#include "promql/memory_source.h"

#include <algorithm>

#include "promql/regex.h"

namespace atalaya::promql {

void MemorySource::Add(const telemetry::Labels& labels, telemetry::Sample sample) {
  series_[labels][sample.time_ms] = sample.value;
}

Result<std::vector<telemetry::SeriesSamples>> MemorySource::Select(
    const telemetry::SelectRequest& request) const {
  const std::vector<CompiledMatcher> matchers(request.matchers.begin(), request.matchers.end());
  std::vector<telemetry::SeriesSamples> found;
  std::uint64_t samples = 0;
  for (const auto& entry : series_) {
    const telemetry::Labels& labels = entry.first;
    const std::map<std::int64_t, double>& values = entry.second;
    const bool matches =
        std::all_of(matchers.begin(), matchers.end(),
                    [&](const CompiledMatcher& matcher) { return matcher.Matches(labels); });
    if (!matches) continue;
    telemetry::SeriesSamples one{labels, {}};
    for (auto it = values.lower_bound(request.from_ms);
         it != values.end() && it->first <= request.to_ms; ++it) {
      if (++samples > request.sample_limit) {
        return Fail(ErrorCode::kLimit, "more samples than the limit of {}", request.sample_limit);
      }
      one.samples.push_back({it->first, it->second});
    }
    if (!one.samples.empty()) found.push_back(std::move(one));
  }
  return found;
}

}  // namespace atalaya::promql
