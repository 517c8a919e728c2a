// Reads any bytes as a query. What parses must print to a text that parses to the same text, and
// must evaluate, or fail, within small limits.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "promql/engine.h"
#include "promql/memory_source.h"
#include "promql/parser.h"

namespace {

using atalaya::promql::Engine;
using atalaya::promql::EngineOptions;
using atalaya::promql::ExprPtr;
using atalaya::promql::MemorySource;

constexpr std::int64_t kMinuteMs = 60'000;

const MemorySource& Series() {
  static const MemorySource* const source = [] {
    auto* filled = new MemorySource;
    for (int i = 0; i < 30; ++i) {
      const std::int64_t time_ms = i * kMinuteMs / 2;
      for (const char* le : {"0.1", "1", "+Inf"}) {
        filled->Add(atalaya::telemetry::Labels({{"__name__", "a"}, {"le", le}, {"job", "x"}}),
                    {time_ms, i * 2.0});
      }
      filled->Add(atalaya::telemetry::Labels({{"__name__", "b"}, {"job", "x"}}),
                  {time_ms, i % 7 == 3 ? atalaya::telemetry::StaleMarker() : i * 0.5});
      filled->Add(atalaya::telemetry::Labels({{"__name__", "b"}, {"job", "y"}}),
                  {time_ms, i % 5 == 0 ? 0.0 / i : -i});
    }
    return filled;
  }();
  return *source;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view query(reinterpret_cast<const char*>(data), size);
  const atalaya::Result<ExprPtr> expr = atalaya::promql::Parse(query);
  if (!expr) {
    ATALAYA_CHECK(!expr.error().message.empty());
    return 0;
  }
  const std::string printed = ToString(**expr);
  const atalaya::Result<ExprPtr> again = atalaya::promql::Parse(printed);
  ATALAYA_CHECK(again);
  ATALAYA_CHECK(ToString(**again) == printed);

  EngineOptions options;
  options.max_samples = 20'000;
  options.max_series = 100;
  const Engine engine(Series(), options);
  (void)engine.EvaluateInstant(*expr, 10 * kMinuteMs);
  (void)engine.EvaluateRange(*expr, 0, 12 * kMinuteMs, 2 * kMinuteMs);
  return 0;
}
