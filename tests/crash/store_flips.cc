// Flips bytes of a history file, as a bad disk might, and checks what the store makes of each.
//
//   store_flips [--times N] [--seed S]
//
// It always opens, answers and takes samples in, and never gives a sample that nobody appended; a
// file that it gives up is set aside by name and counted. Not flipped are the eight bytes of the
// header that say whose file it is and of which format: those it refuses by name. How often a row
// was passed over is printed. ./check runs a few; the long run is --times 2000.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

#include "base/clock.h"
#include "base/flags.h"
#include "history/store.h"

namespace {

namespace fs = std::filesystem;
using namespace atalaya;
using history::Store;
using telemetry::Column;
using telemetry::LabelledSample;
using telemetry::Labels;
using telemetry::SeriesSamples;

constexpr int kSeries = 4;
constexpr int kBatches = 1500;  // Two hours: chunks, sums of them, and batches.
constexpr int kMaxFlips = 32;   // Of one file.
constexpr auto kScrape = std::chrono::seconds(5);

[[noreturn]] void Quit(const std::string& message) {
  std::fprintf(stderr, "store_flips: %s\n", message.c_str());
  std::exit(1);
}

std::unique_ptr<Store> Open(const fs::path& folder, const Clock& clock) {
  history::StoreOptions options;
  options.path = folder / "history.db";
  options.clock = &clock;
  auto store = Store::Open(options);
  if (!store) Quit("it does not open: " + store.error().message);
  return std::move(*store);
}

void AppendBatch(Store& store, FakeClock& clock, double value) {
  clock.Advance(kScrape);
  std::vector<LabelledSample> batch;
  for (int i = 0; i < kSeries; ++i) {
    batch.push_back({Labels({{"__name__", "flipped"}, {"number", std::to_string(i)}}),
                     {clock.NowMs(), value + 0.1 * i}});
  }
  if (const Status done = store.Append(batch); !done) Quit("Append: " + done.error().message);
}

// `bucket_ms`: 0 for the samples themselves.
std::vector<SeriesSamples> Everything(const Store& store, const Clock& clock,
                                      std::int64_t bucket_ms = 0, Column column = Column::kRaw) {
  telemetry::SelectRequest request;
  request.to_ms = clock.NowMs() + history::kMaxAheadMs;
  request.bucket_ms = bucket_ms;
  request.column = column;
  auto found = store.Select(request);
  if (!found) Quit("it cannot be read: " + found.error().message);
  return std::move(*found);
}

// Quits where a value is there that nobody appended in the `width_ms` up to its time.
void CheckValues(const std::vector<SeriesSamples>& found, const std::vector<SeriesSamples>& whole,
                 std::int64_t width_ms) {
  for (const SeriesSamples& series : found) {
    const auto same = std::find_if(whole.begin(), whole.end(), [&](const SeriesSamples& other) {
      return other.labels == series.labels;
    });
    if (same == whole.end()) Quit("a series that nobody appended: " + series.labels.ToString());
    for (const auto& [time_ms, value] : series.samples) {
      const bool appended = std::any_of(
          same->samples.begin(), same->samples.end(), [&, t = time_ms, v = value](const auto& s) {
            return s.value == v && s.time_ms > t - width_ms && s.time_ms <= t;
          });
      if (!appended) Quit(fmt::format("{} at {} was altered", value, time_ms));
    }
  }
}

void CheckEverything(const Store& store, const Clock& clock,
                     const std::vector<SeriesSamples>& whole) {
  CheckValues(Everything(store, clock), whole, 1);
  for (const std::int64_t width_ms : {history::kMinuteMs, history::kHourMs}) {
    for (const Column column : {Column::kLeast, Column::kMost, Column::kLast}) {
      CheckValues(Everything(store, clock, width_ms, column), whole, width_ms);
    }
  }
}

void Flip(const fs::path& file, std::mt19937& random) {
  std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
  const auto size = static_cast<std::uint32_t>(fs::file_size(file));
  for (unsigned left = 1 + random() % kMaxFlips; left > 0; --left) {
    const auto at = static_cast<std::uint32_t>(random() % size);
    if ((at >= 60 && at < 64) || (at >= 68 && at < 72)) continue;
    bytes.seekg(at);
    const int was = bytes.get();
    bytes.seekp(at);
    bytes.put(static_cast<char>(was ^ (1 << random() % 8)));
  }
}

std::uint64_t FilesSetAside(const fs::path& folder) {
  std::uint64_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.find(".broken-") != std::string::npos && !name.ends_with("-wal") &&
        !name.ends_with("-shm")) {
      ++count;
    }
  }
  return count;
}

struct Counts {
  std::uint64_t set_aside = 0;
  std::uint64_t rows = 0;
};

void TryOnce(const fs::path& folder, FakeClock clock, const std::vector<SeriesSamples>& whole,
             Counts& counts) {
  std::uint64_t set_aside = 0;
  for (int opening = 0; opening < 2; ++opening) {
    const auto store = Open(folder, clock);
    CheckEverything(*store, clock, whole);
    AppendBatch(*store, clock, kBatches + opening);
    if (!store->Stats().saving) Quit("it saves nothing any more");
    std::size_t there = 0;
    for (const auto& series : Everything(*store, clock)) {
      if (series.samples.back().time_ms == clock.NowMs()) ++there;
    }
    // A failed read goes on with what is in memory: what was just moved to a chunk is not.
    const bool readable = store->Stats().read_failures == 0;
    if (readable && there < kSeries)
      Quit(fmt::format("of {} new samples {} are there", kSeries, there));
    set_aside += store->Stats().files_set_aside;
    counts.rows += store->Stats().damaged_rows;
  }
  if (FilesSetAside(folder) != set_aside) Quit("a file set aside is not counted, or not there");
  counts.set_aside += set_aside;
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t times = 20;
  std::int64_t seed = 1;
  Flags flags("store_flips",
              "Flips bytes of a history file and checks what the store makes of it.");
  flags.Add("times", &times, "how many files are damaged");
  flags.Add("seed", &seed, "of the bytes");
  if (const Status parsed = flags.Parse(argc, argv); !parsed) {
    std::fprintf(stderr, "store_flips: %s\n", parsed.error().message.c_str());
    return 2;
  }
  const fs::path folder = fs::temp_directory_path() / fmt::format("store_flips-{}", getpid());
  fs::create_directories(folder / "whole");
  FakeClock clock(1'700'000'000'000);
  std::vector<SeriesSamples> whole;
  {
    const auto store = Open(folder / "whole", clock);
    for (int i = 0; i < kBatches; ++i) AppendBatch(*store, clock, i);
  }
  {
    fs::copy(folder / "whole", folder / "flipped");
    FakeClock later = clock;
    const auto store = Open(folder / "flipped", later);
    for (int opening = 0; opening < 2; ++opening) AppendBatch(*store, later, kBatches + opening);
    whole = Everything(*store, later);  // With what TryOnce appends.
  }
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  Counts counts;
  for (std::int64_t i = 0; i < times; ++i) {
    fs::remove_all(folder / "flipped");
    fs::copy(folder / "whole", folder / "flipped");
    Flip(folder / "flipped/history.db", random);
    TryOnce(folder / "flipped", clock, whole, counts);
  }
  fmt::print(
      "{} files flipped: each opened and went on, no value altered; {} set aside, {} rows passed "
      "over\n",
      times, counts.set_aside, counts.rows);
  fs::remove_all(folder);
  return 0;
}
