// history_meter MODE FILE ARGUMENTS...: loads a history file as its only writer and prints figures
// as one line of JSON. Modes (times in ms, one scrape is one Append of all series):
//   fill FILE END HOURS INTERVAL JITTER SERIES [OPENMETRICS]  a span of scrapes up to END, at the
//       pace of the disk; with OPENMETRICS the same samples as text. Costs are CPU of all threads.
//   crowd FILE SERIES SCRAPES   a file whose samples are all still in the head; ends by SIGKILL.
//   open FILE                   how long opening takes.
//   queried FILE SERIES SECONDS latency of Append alone, then beside a thread that reads all.

#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/latency_histogram.h"
#include "bench/history_meter/node_data.h"
#include "history/store.h"

namespace {

using atalaya::FakeClock;
using atalaya::LatencyHistogram;
using atalaya::SystemClock;
using atalaya::bench::NodeData;
using atalaya::history::kHourMs;
using atalaya::history::Store;
using atalaya::history::StoreOptions;

constexpr std::int64_t kScrapeMs = 5000;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

[[noreturn]] void Quit(const std::string& message) {
  std::fprintf(stderr, "history_meter: %s\n", message.c_str());
  std::exit(1);
}

std::int64_t Number(const char* text) {
  char* end = nullptr;
  const std::int64_t number = std::strtoll(text, &end, 10);
  if (end == text || *end != '\0' || number < 0) Quit(fmt::format("\"{}\" is not a number", text));
  return number;
}

std::int64_t CpuNs() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * kNsPerSecond + time.tv_nsec;
}

std::unique_ptr<Store> Open(const std::string& path, const atalaya::Clock& clock) {
  StoreOptions options;
  options.path = path;
  options.clock = &clock;
  auto store = Store::Open(options);
  if (!store) Quit(store.error().message);
  return std::move(*store);
}

void Append(Store& store, const std::vector<atalaya::telemetry::LabelledSample>& samples) {
  const atalaya::Status done = store.Append(samples);
  if (!done) Quit(done.error().message);
}

// One line of OpenMetrics, whose readers take no space between labels.
std::string TextOf(const atalaya::telemetry::LabelledSample& sample) {
  std::string line(sample.labels.Get("__name__"));
  char before = '{';
  for (const auto& [name, value] : sample.labels) {
    if (name == "__name__") continue;
    line += fmt::format("{}{}=\"{}\"", std::exchange(before, ','), name, value);
  }
  return line + fmt::format("}} {} {}.{:03}\n", sample.sample.value, sample.sample.time_ms / 1000,
                            sample.sample.time_ms % 1000);
}

void Fill(int argc, char** argv) {
  const std::int64_t end_ms = Number(argv[3]);
  const std::int64_t interval_ms = Number(argv[5]);
  const std::int64_t jitter_ms = Number(argv[6]);
  const auto series = static_cast<std::size_t>(Number(argv[7]));
  std::FILE* const text = argc > 8 ? std::fopen(argv[8], "w") : nullptr;
  if (argc > 8 && text == nullptr) Quit(fmt::format("{} cannot be written", argv[8]));
  const std::int64_t start_ms = end_ms - Number(argv[4]) * kHourMs;
  FakeClock clock(start_ms);
  const std::unique_ptr<Store> store = Open(argv[2], clock);
  NodeData data(series);
  std::mt19937_64 random(2);
  std::int64_t samples = 0;
  std::int64_t cpu_ns = 0;
  for (std::int64_t at_ms = start_ms; at_ms < end_ms; at_ms += interval_ms) {
    const auto late_ms =
        static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(jitter_ms + 1));
    const auto& scrape = data.Scrape(at_ms + late_ms);
    clock.StepWallClock(std::chrono::milliseconds(at_ms + late_ms - clock.NowMs()));
    const std::int64_t before_ns = CpuNs();
    Append(*store, scrape);
    cpu_ns += CpuNs() - before_ns;
    samples += static_cast<std::int64_t>(scrape.size());
    if (text == nullptr) continue;
    for (const auto& sample : scrape) std::fputs(TextOf(sample).c_str(), text);
  }
  if (text != nullptr) {
    std::fputs("# EOF\n", text);
    std::fclose(text);
  }
  fmt::print("{{\"samples\": {}, \"cpu_ns\": {:.1f}}}\n", samples,
             static_cast<double>(cpu_ns) / static_cast<double>(samples));
}

void Crowd(char** argv) {
  FakeClock clock(SystemClock().NowMs() - kHourMs);
  const std::unique_ptr<Store> store = Open(argv[2], clock);
  NodeData data(static_cast<std::size_t>(Number(argv[3])));
  for (std::int64_t left = Number(argv[4]); left > 0; --left) {
    Append(*store, data.Scrape(clock.NowMs()));
    clock.StepWallClock(std::chrono::milliseconds(kScrapeMs));
  }
  std::raise(SIGKILL);
}

void TimeOpen(char** argv) {
  const std::int64_t before_ns = SystemClock().SteadyNs();
  const std::unique_ptr<Store> store = Open(argv[2], SystemClock());
  const std::int64_t took_ns = SystemClock().SteadyNs() - before_ns;
  fmt::print("{{\"open_ms\": {:.1f}, \"series\": {}, \"head_samples\": {}}}\n",
             static_cast<double>(took_ns) / atalaya::kNsPerMs, store->Stats().series,
             store->Stats().head_samples);
}

// Appends for `seconds`, without a pause; the scrapes' times run ahead of the clock's.
LatencyHistogram AppendFor(Store& store, NodeData& data, FakeClock& clock, std::int64_t seconds) {
  LatencyHistogram latency;
  const std::int64_t end_ns = SystemClock().SteadyNs() + seconds * kNsPerSecond;
  while (SystemClock().SteadyNs() < end_ns) {
    clock.StepWallClock(std::chrono::milliseconds(kScrapeMs));
    const auto& scrape = data.Scrape(clock.NowMs());
    const std::int64_t before_ns = SystemClock().SteadyNs();
    Append(store, scrape);
    latency.Record(SystemClock().SteadyNs() - before_ns);
  }
  return latency;
}

void Queried(char** argv) {
  FakeClock clock(SystemClock().NowMs());
  const std::unique_ptr<Store> store = Open(argv[2], clock);
  NodeData data(static_cast<std::size_t>(Number(argv[3])));
  const std::int64_t seconds = Number(argv[4]);
  const LatencyHistogram alone = AppendFor(*store, data, clock, seconds);
  std::atomic<bool> ended{false};
  std::int64_t queries = 0;
  std::thread reader([&] {
    for (; !ended; ++queries) {
      atalaya::telemetry::SelectRequest everything;
      everything.to_ms = std::numeric_limits<std::int64_t>::max();
      const auto all = store->Select(everything);
      if (!all) Quit(all.error().message);
    }
  });
  const LatencyHistogram beside = AppendFor(*store, data, clock, seconds);
  ended = true;
  reader.join();
  const auto us = [](const LatencyHistogram& latency, double percent) {
    return static_cast<double>(latency.PercentileNs(percent)) / 1000;
  };
  fmt::print(
      "{{\"alone_p50_us\": {:.1f}, \"alone_p99_us\": {:.1f}, \"beside_p50_us\": {:.1f}, "
      "\"beside_p99_us\": {:.1f}, \"queries\": {}}}\n",
      us(alone, 50), us(alone, 99), us(beside, 50), us(beside, 99), queries);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  if (mode == "fill" && (argc == 8 || argc == 9)) {
    Fill(argc, argv);
  } else if (mode == "crowd" && argc == 5) {
    Crowd(argv);
  } else if (mode == "open" && argc == 3) {
    TimeOpen(argv);
  } else if (mode == "queried" && argc == 5) {
    Queried(argv);
  } else {
    Quit("fill, crowd, open or queried, and their arguments (see bench/history_meter/main.cc)");
  }
  return 0;
}
