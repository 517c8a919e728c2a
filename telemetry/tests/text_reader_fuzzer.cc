#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

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
  options.limits.line_bytes *= 8;
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

struct Scan {
  std::vector<ScannedSample> samples;
  bool good = false;
};

Scan ScanAll(std::string_view page, TextFormat format, const std::vector<ScannedSample>& expected) {
  TextScanner scanner(page, format);
  Scan scan;
  ScannedSample sample;
  const auto guess = [&] {
    return expected.empty() ? "" : expected[scan.samples.size() % expected.size()].series;
  };
  while (scanner.Next(guess(), sample)) scan.samples.push_back(sample);
  scan.good = scanner.status().has_value();
  return scan;
}

// Whatever series an earlier page had, a page is read as by itself.
void GuessesChangeNothing(std::string_view input, TextFormat format) {
  const std::size_t half = input.find('\f');
  const std::string_view page = input.substr(0, half);
  const std::string_view earlier = half == std::string_view::npos ? page : input.substr(half + 1);
  const Scan alone = ScanAll(page, format, {});
  const Scan guessed = ScanAll(page, format, ScanAll(earlier, format, {}).samples);
  ATALAYA_CHECK(alone.good == guessed.good && alone.samples.size() == guessed.samples.size());
  for (std::size_t i = 0; i < alone.samples.size(); ++i) {
    ATALAYA_CHECK(alone.samples[i].series == guessed.samples[i].series);
    ATALAYA_CHECK(alone.samples[i].time_ms == guessed.samples[i].time_ms);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  RoundTrip(input, TextFormat::kPrometheus);
  RoundTrip(input, TextFormat::kOpenMetrics);
  GuessesChangeNothing(input, TextFormat::kPrometheus);
  GuessesChangeNothing(input, TextFormat::kOpenMetrics);
  return 0;
}
