// Kills a history store again and again while it takes samples in, and checks what it has after
// each start.
//
//   store_crash [--kills N] [--power-failures M] [--seed S]
//
// After SIGKILL it has all that it ever accepted; after a power failure (SIGKILL on a disk that
// keeps only what was synced) all that was accepted before the last sync began; and it always
// opens, without taking a crash for damage. What a power failure takes was accepted within
// kMaxUnsyncedMs, also where the thread that syncs never comes to it, as in every second turn.
// ./check runs a few of each; the long run is --kills 1000 --power-failures 200.

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <vector>

#include "base/clock.h"
#include "base/flags.h"
#include "history/store.h"
#include "tests/crash/forgetful_disk.h"

namespace {

namespace fs = std::filesystem;
using namespace atalaya;
using history::Store;
using history::StoreOptions;
using telemetry::LabelledSample;
using telemetry::Labels;

constexpr std::int64_t kStartMs = 1'700'000'000'000;
constexpr std::int64_t kScrapeMs = 5000;
constexpr int kSeries = 4;
constexpr int kLivesOfAStore = 10;  // Then a new one, so that reading it all stays short.
constexpr std::int64_t kMaxSyncs = 2;
constexpr std::int64_t kNeverMs = 3'600'000;
constexpr std::int64_t kBatchesOfAPause = 4000;  // More than come between two syncs.
constexpr rlim_t kMaxFileBytes = 512u << 20;     // Of a log that no sync comes to.

// What the child tells, each in one write.
struct Told {
  enum Kind : std::int64_t { kAccepted, kSynced } kind;
  std::int64_t batches;   // How many are accepted, or synced for sure, in all lives.
  std::int64_t begun_ns;  // When the last Append was called, steady clock,
  std::int64_t ended_ns;  // and when it had returned.
};

[[noreturn]] void Quit(const std::string& message) {
  std::fprintf(stderr, "store_crash: %s\n", message.c_str());
  std::exit(1);
}

StoreOptions OptionsFor(const fs::path& folder, const Clock& clock) {
  StoreOptions options;
  options.path = folder / "history.db";
  options.clock = &clock;
  options.retention_ms = options.minute_retention_ms = options.hour_retention_ms = kStartMs;
  return options;
}

void Tell(int to, Told::Kind kind, std::int64_t batches, std::int64_t begun_ns = 0) {
  const Told told{kind, batches, begun_ns, SystemClock().SteadyNs()};
  if (write(to, &told, sizeof told) != static_cast<ssize_t>(sizeof told)) _exit(5);
}

// Where a store lives, and what its disk has for sure.
struct Place {
  fs::path store;
  fs::path synced;
};

struct Disk {
  bool forgetful = false;
  bool starved = false;  // The store's own thread never comes to sync.
};

// The child's whole life: appends batch after batch and tells each one that was accepted.
[[noreturn]] void AppendUntilKilled(const Place& place, Disk disk, std::int64_t batches, int tell) {
  const rlimit limit{kMaxFileBytes, kMaxFileBytes};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(6);
  static std::atomic<std::int64_t> accepted;
  accepted = batches;
  if (disk.forgetful) {
    crash::RememberSyncs(place.store, place.synced, [tell](const std::string& name) {
      return [tell, before = accepted.load(), log = name.ends_with("-wal")] {
        if (log) Tell(tell, Told::kSynced, before);
      };
    });
  }
  FakeClock clock(kStartMs + batches * kScrapeMs);
  StoreOptions options = OptionsFor(place.store, clock);
  if (disk.starved) options.sync_after_ms = kNeverMs;
  auto store = Store::Open(options);
  if (!store) _exit(3);
  while (true) {
    std::vector<LabelledSample> batch;
    for (int i = 0; i < kSeries; ++i) {
      batch.push_back({Labels({{"__name__", "killed"}, {"number", std::to_string(i)}}),
                       {clock.NowMs(), static_cast<double>(accepted)}});
    }
    const std::int64_t begun_ns = SystemClock().SteadyNs();
    if (!(*store)->Append(batch)) _exit(4);
    Tell(tell, Told::kAccepted, ++accepted, begun_ns);
    clock.Advance(std::chrono::milliseconds(kScrapeMs));
  }
}

// When the child is killed: after so many of what it tells.
struct Moment {
  std::int64_t syncs;
  std::int64_t batches;  // Behind the syncs.
};

// What a life came to.
struct Life {
  std::int64_t accepted = 0;
  std::int64_t synced = 0;
  std::vector<Told> told;  // Of this life's batches.
};

class Child {
 public:
  Child(const Place& place, Disk disk, std::int64_t batches) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) Quit("no pipe");
    life_.accepted = life_.synced = batches;
    pid_ = fork();
    if (pid_ < 0) Quit("cannot fork");
    if (pid_ == 0) AppendUntilKilled(place, disk, batches, ends[1]);
    close(ends[1]);
    told_ = ends[0];
  }

  Life KillAt(Moment moment) {
    while ((moment.syncs > 0 || moment.batches > 0) && Hear()) {
      if (heard_ == Told::kSynced) --moment.syncs;
      if (heard_ == Told::kAccepted && moment.syncs <= 0) --moment.batches;
    }
    kill(pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
    // A log that no sync comes to ends at kMaxFileBytes, and so does its writer.
    if (!WIFSIGNALED(status) || (WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGXFSZ)) {
      Quit(fmt::format("the store ended by itself: {}", status));
    }
    while (Hear()) continue;
    close(told_);
    return std::move(life_);
  }

 private:
  bool Hear() {
    Told told;
    if (read(told_, &told, sizeof told) != static_cast<ssize_t>(sizeof told)) return false;
    heard_ = told.kind;
    if (told.kind == Told::kSynced) {
      life_.synced = std::max(life_.synced, told.batches);
    } else {
      life_.accepted = told.batches;
      life_.told.push_back(told);
    }
    return true;
  }

  pid_t pid_ = -1;
  int told_ = -1;
  Told::Kind heard_ = Told::kAccepted;
  Life life_;
};

// How many batches the store has, each whole and in its place. It is opened in a copy, so that the
// next life has to recover by itself.
std::int64_t CountBatches(const Place& place) {
  const fs::path copy = place.store.string() + "-copy";
  fs::remove_all(copy);
  fs::copy(place.store, copy);
  fs::remove(copy / "history.db-shm");  // Of the one that was killed.
  const FakeClock clock(kStartMs);
  auto store = Store::Open(OptionsFor(copy, clock));
  if (!store) Quit("it does not open: " + store.error().message);
  if ((*store)->Stats().files_set_aside != 0) Quit("it took a crash for damage");
  telemetry::SelectRequest everything;
  everything.to_ms = kStartMs * 2;
  const auto found = (*store)->Select(everything);
  if (!found) Quit("it cannot be read: " + found.error().message);
  if (found->empty()) return 0;
  if (found->size() != kSeries) Quit(fmt::format("it has {} series", found->size()));
  const std::size_t count = found->front().samples.size();
  for (const auto& series : *found) {
    if (series.samples.size() != count) Quit("half of a batch is there");
    for (std::size_t i = 0; i < count; ++i) {
      const auto [time_ms, value] = series.samples[i];
      const auto number = static_cast<std::int64_t>(i);
      if (time_ms != kStartMs + number * kScrapeMs || value != static_cast<double>(number)) {
        Quit(fmt::format("in place {} stands {} at {}", i, value, time_ms));
      }
    }
  }
  return static_cast<std::int64_t>(count);
}

class CrashTest {
 public:
  CrashTest(const fs::path& folder, std::int64_t seed)
      : place_{folder / "store", folder / "synced"},
        random_(static_cast<std::mt19937::result_type>(seed)) {}

  void Kill(std::int64_t times) {
    std::int64_t accepted = 0;
    for (std::int64_t turn = 0; turn < times; ++turn) {
      BeginAnew(turn);
      const bool long_life = random_() % 8 == 0;
      const Life life = Child(place_, {}, batches_).KillAt({0, Below(long_life ? 6000 : 200)});
      Expect(life.accepted);
      accepted += static_cast<std::int64_t>(life.told.size());
    }
    fmt::print("{} kills: {} batches accepted, none lost\n", times, accepted);
  }

  void FailPower(std::int64_t times) {
    std::int64_t lost = 0;
    std::int64_t longest_ns = 0;
    for (std::int64_t turn = 0; turn < times; ++turn) {
      BeginAnew(turn);
      const std::int64_t before = batches_;
      const Disk disk{.forgetful = true, .starved = turn % 2 == 1};
      const std::int64_t behind = Below(disk.starved ? kBatchesOfAPause : 200);
      const Life life = Child(place_, disk, batches_).KillAt({Below(kMaxSyncs + 1), behind});
      crash::FailPower(place_.store, place_.synced, random_);
      Expect(life.synced);
      const std::int64_t gone = life.accepted - batches_;
      if (gone <= 0) continue;
      lost += gone;
      const auto oldest = static_cast<std::size_t>(batches_ - before);
      const std::int64_t within_ns = life.told.back().begun_ns - life.told[oldest].ended_ns;
      longest_ns = std::max(longest_ns, within_ns);
    }
    fmt::print(
        "{} power failures: {} batches lost, none that a sync had covered; at most what was "
        "accepted within {} ms\n",
        times, lost, std::max<std::int64_t>(longest_ns, 0) / kNsPerMs);
    if (longest_ns > history::kMaxUnsyncedMs * kNsPerMs) Quit("it lost more than it may");
  }

 private:
  std::int64_t Below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }

  void BeginAnew(std::int64_t turn) {
    if (turn % kLivesOfAStore != 0) return;
    fs::remove_all(place_.store);
    fs::create_directories(place_.store);
    batches_ = 0;
  }

  void Expect(std::int64_t at_least) {
    batches_ = CountBatches(place_);
    if (batches_ < at_least) Quit(fmt::format("it has {} of {} batches", batches_, at_least));
  }

  const Place place_;
  std::mt19937 random_;
  std::int64_t batches_ = 0;  // That the store has.
};

}  // namespace

int main(int argc, char** argv) {
  std::int64_t kills = 8;
  std::int64_t power_failures = 4;
  std::int64_t seed = 1;
  Flags flags("store_crash", "Kills a history store under load and checks what it has kept.");
  flags.Add("kills", &kills, "how often by SIGKILL");
  flags.Add("power-failures", &power_failures, "how often with what was not synced lost");
  flags.Add("seed", &seed, "of the moments");
  if (const Status parsed = flags.Parse(argc, argv); !parsed) {
    std::fprintf(stderr, "store_crash: %s\n", parsed.error().message.c_str());
    return 2;
  }
  const fs::path folder = fs::temp_directory_path() / fmt::format("store_crash-{}", getpid());
  fs::create_directories(folder);
  CrashTest test(folder, seed);
  test.Kill(kills);
  test.FailPower(power_failures);
  fs::remove_all(folder);
  return 0;
}
