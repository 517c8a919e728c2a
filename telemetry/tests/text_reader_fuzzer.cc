#include <bit>
#include <cmath>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "telemetry/text_reader.h"
#include "telemetry/text_writer.h"

namespace {

using namespace atalaya::telemetry;

// What was read, written again and read again, is the same.
void RoundTrip(std::string_view input, TextFormat format) {
  TextReaderOptions options;
  options.format = format;
  const auto page = ReadTextPage(input, options);
  if (!page) return;
  std::string text;
  for (const LabelledSample& sample : page->samples) {
    LabelText labels;
    for (const auto& [name, value] : sample.labels) {
      if (name != kMetricName) labels.Add(name, value);
    }
    text.append(sample.labels.Get(kMetricName)).append("{").append(labels.text()).append("} ");
    AppendNumber(text, sample.sample.value);
    text += "\n";
  }
  options.format = TextFormat::kPrometheus;
  options.line_limit_bytes *= 8;
  const auto again = ReadTextPage(text, options);
  ATALAYA_CHECK(again && again->samples.size() == page->samples.size());
  for (std::size_t i = 0; i < page->samples.size(); ++i) {
    const double a = page->samples[i].sample.value;
    const double b = again->samples[i].sample.value;
    ATALAYA_CHECK(page->samples[i].labels == again->samples[i].labels);
    ATALAYA_CHECK(std::isnan(a)
                      ? std::isnan(b)
                      : std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  RoundTrip(input, TextFormat::kPrometheus);
  RoundTrip(input, TextFormat::kOpenMetrics);
  return 0;
}
