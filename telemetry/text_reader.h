#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/metric_type.h"
#include "telemetry/sample.h"
#include "telemetry/text_scanner.h"

namespace atalaya::telemetry {

struct TextReaderOptions {
  TextFormat format = TextFormat::kPrometheus;
  std::int64_t time_ms = 0;  // Of samples that carry no timestamp: when the scrape began.
  TextLimits limits;
  std::size_t sample_limit = 1'000'000;
};

struct TextPage {
  std::vector<LabelledSample> samples;   // In the page's order; doubled series are not looked for.
  std::vector<FamilyMetadata> families;  // Each name once, in order of first mention.
};

// Reads a whole page of metrics at once, all or nothing; formats and failures are TextScanner's.
// Threads: any.
Result<TextPage> ReadTextPage(std::string_view page, const TextReaderOptions& options);

}  // namespace atalaya::telemetry
