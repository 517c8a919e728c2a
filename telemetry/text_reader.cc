#include "telemetry/text_reader.h"

namespace atalaya::telemetry {

Result<TextPage> ReadTextPage(std::string_view page, const TextReaderOptions& options) {
  TextPage read;
  TextScanner scanner(page, options.format, options.limits, &read.families);
  ScannedSample sample;
  while (scanner.Next("", sample)) {
    if (read.samples.size() >= options.sample_limit)
      return Fail(ErrorCode::kLimit, "more than {} samples", options.sample_limit);
    auto pairs = scanner.ReadSeries(sample.series);
    if (!pairs) return Forward(pairs.error());
    read.samples.push_back(
        {Labels(std::move(*pairs)), {sample.time_ms.value_or(options.time_ms), sample.value}});
  }
  if (!scanner.status()) return Forward(scanner.status().error());
  return read;
}

}  // namespace atalaya::telemetry
