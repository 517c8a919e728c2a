// A store whose process is killed with SIGKILL, again and again, has all that it ever accepted.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "history/store.h"

namespace atalaya::history {
namespace {

using telemetry::LabelledSample;
using telemetry::Labels;

constexpr std::int64_t kStartMs = 1'700'000'000'000;
constexpr int kRounds = 30;
constexpr int kSeries = 4;
constexpr std::int64_t kMaxBatchesPerRound = 150;

Labels SeriesLabels(int number) {
  return Labels({{"__name__", "killed"}, {"number", std::to_string(number)}});
}

// The child's whole life: appends batch after batch and tells each one that was accepted.
[[noreturn]] void AppendUntilKilled(StoreOptions options, FakeClock& clock, std::int64_t next,
                                    int tell) {
  auto store = Store::Open(options);
  if (!store) _exit(3);
  for (;; ++next) {
    clock.Advance(std::chrono::seconds(5));
    std::vector<LabelledSample> batch;
    for (int i = 0; i < kSeries; ++i) {
      batch.push_back({SeriesLabels(i), {clock.NowMs(), static_cast<double>(next)}});
    }
    if (!(*store)->Append(batch)) _exit(4);
    if (write(tell, &next, sizeof next) != static_cast<ssize_t>(sizeof next)) _exit(5);
  }
}

// Reads what the child tells and kills it after `batches` of them; returns the last one told.
std::int64_t KillAfter(pid_t child, int told, std::int64_t batches) {
  std::int64_t last = -1;
  for (std::int64_t i = 0; i < batches; ++i) {
    std::int64_t number = 0;
    if (read(told, &number, sizeof number) != static_cast<ssize_t>(sizeof number)) break;
    last = number;
  }
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
  std::int64_t number = 0;
  while (read(told, &number, sizeof number) == static_cast<ssize_t>(sizeof number)) last = number;
  return last;
}

// Every batch up to `last` is there, in order; returns how many batches there are (one more may
// have been saved and not told).
std::int64_t CheckStore(const StoreOptions& options, std::int64_t last) {
  auto store = Store::Open(options);
  EXPECT_TRUE(store) << store.error().message;
  telemetry::SelectRequest request;
  request.matchers = {{telemetry::Matcher::Kind::kEqual, "__name__", "killed"}};
  request.to_ms = kStartMs * 2;
  const auto found = (*store)->Select(request);
  EXPECT_TRUE(found);
  EXPECT_EQ(found->size(), static_cast<std::size_t>(kSeries));
  EXPECT_EQ((*store)->Stats().files_set_aside, 0u);
  std::int64_t count = 0;
  for (const auto& series : *found) {
    count = static_cast<std::int64_t>(series.samples.size());
    EXPECT_GE(count, last + 1);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto& sample = series.samples[static_cast<std::size_t>(i)];
      if (sample.value != static_cast<double>(i)) {
        ADD_FAILURE() << "at " << i << " stands " << sample.value;
        return count;
      }
    }
  }
  return count;
}

TEST(StoreCrash, LosesNothingThatItAccepted) {
  const std::string folder = testing::TempDir() + "/store_crash_" + std::to_string(getpid());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::mt19937 random(11);
  std::int64_t next = 0;
  for (int round = 0; round < kRounds; ++round) {
    FakeClock clock(kStartMs + next * 5000);
    StoreOptions options;
    options.path = folder + "/history.db";
    options.clock = &clock;
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) AppendUntilKilled(options, clock, next, ends[1]);
    close(ends[1]);
    const auto batches = static_cast<std::int64_t>(1 + random() % kMaxBatchesPerRound);
    const std::int64_t last = KillAfter(child, ends[0], batches);
    close(ends[0]);
    next = CheckStore(options, last);
    if (HasFailure()) break;
  }
  EXPECT_GT(next, kRounds);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace atalaya::history
