#include <array>

#include "base/clock.h"
#include "base/latency_histogram.h"
#include "bench/meter/modes.h"
#include "bench/meter/quit.h"
#include "bench/meter/usage.h"

namespace atalaya::bench {
namespace {

constexpr std::int64_t kWarmUpRounds = 1'000;

}  // namespace

void RunRoundTrip(const Target& target, std::size_t payload_bytes, std::int64_t rounds) {
  const std::string payload(payload_bytes, 'x');
  Client here(target, "a");
  Client there(target, "b");
  there.Subscribe({"t/a"});
  here.Subscribe({"t/b"});
  Settle(target, {&here, &there});
  const std::string out = PublishBytes(target.protocol, "t/a", payload);
  const std::string back = PublishBytes(target.protocol, "t/b", payload);
  std::string received(LayoutOf(target.protocol, "t/a", payload_bytes).bytes, '\0');
  const auto round = [&] {
    here.Write(out);
    there.ReadExactly(received.data(), received.size());
    there.Write(back);
    here.ReadExactly(received.data(), received.size());
  };
  for (std::int64_t i = 0; i < kWarmUpRounds; ++i) round();
  LatencyHistogram latency;
  const Interval interval(target.pid);
  for (std::int64_t i = 0; i < rounds; ++i) {
    const std::int64_t start_ns = SystemClock().SteadyNs();
    round();
    latency.Record(SystemClock().SteadyNs() - start_ns);
  }
  const auto us = [&](double percent) {
    return static_cast<double>(latency.PercentileNs(percent)) / 1e3;
  };
  interval.Print(2 * rounds, 2 * rounds,
                 fmt::format(", \"p50_us\": {:.1f}, \"p99_us\": {:.1f}, \"p999_us\": {:.1f}",
                             us(50), us(99), us(99.9)));
}

}  // namespace atalaya::bench
