#include "telemetry/stats_segment.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "telemetry/server_state.h"
#include "telemetry/stats_layout.h"

namespace atalaya::telemetry {
namespace {

using testing::HasSubstr;

constexpr char kSampleOfVersion1[] = "telemetry/tests/corpus/stats_segment/version1.stats";

class StatsSegment : public testing::Test {
 protected:
  StatsSegment() : path_(fmt::format("/dev/shm/atalaya-stats-test-{}", getpid())) {}
  ~StatsSegment() override { std::filesystem::remove(path_); }

  std::unique_ptr<StatsWriter> Write(std::size_t loops = 2) {
    Result<std::unique_ptr<StatsWriter>> writer = StatsWriter::Create({path_, "test", loops});
    EXPECT_TRUE(writer) << (writer ? "" : writer.error().message);
    return writer ? std::move(*writer) : nullptr;
  }
  ServerState Judge() { return JudgeState(ReadStats(path_), "/proc", SystemClock().SteadyNs()); }

  std::filesystem::path path_;
};

TEST_F(StatsSegment, ReaderSeesWhatTheLoopsWrote) {
  const auto writer = Write();
  writer->loop(0).Add(Stat::kConnectionsAccepted, 3);
  writer->loop(1).Add(Stat::kConnectionsAccepted);
  writer->loop(0).Add(Stat::kConnections, 2);
  writer->loop(1).Add(Stat::kConnections, -1);
  writer->loop(1).Set(Stat::kQueueBytes, 77);
  writer->loop(1).Add(PacketsReceived(3));
  writer->loop(0).Beat(12345);

  const Result<StatsSnapshot> snapshot = ReadStats(path_);
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ(snapshot->name, "test");
  EXPECT_EQ(snapshot->pid, getpid());
  EXPECT_EQ(snapshot->boot_id, ReadBootId("/proc"));
  EXPECT_FALSE(snapshot->stopping);
  EXPECT_EQ(snapshot->loops.size(), 2u);
  EXPECT_EQ(snapshot->loops[0].heartbeats, 1u);
  EXPECT_EQ(snapshot->loops[0].heartbeat_ns, 12345);
  EXPECT_EQ(snapshot->Total(Stat::kConnectionsAccepted), 4);
  EXPECT_EQ(snapshot->Total(Stat::kConnections), 1);
  EXPECT_EQ(snapshot->Total(Stat::kQueueBytes), 77);
  EXPECT_EQ(snapshot->Total(Stat::kReceivedPublish), 1);
}

TEST_F(StatsSegment, IsReadableByTheGroupOnlyAndReplacedNotTruncated) {
  const auto first = Write();
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u);
  const auto second = Write(1);
  struct stat replaced {};
  ASSERT_EQ(stat(path_.c_str(), &replaced), 0);
  EXPECT_NE(status.st_ino, replaced.st_ino);
  first->loop(1).Add(Stat::kSentBytes);  // Its memory is still whole.
  EXPECT_EQ(ReadStats(path_)->Total(Stat::kSentBytes), 0);
}

TEST_F(StatsSegment, RefusesBadOptions) {
  EXPECT_EQ(StatsWriter::Create({path_, "", 1}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(StatsWriter::Create({path_, "a/b", 1}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(StatsWriter::Create({path_, "a", 0}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(StatsWriter::Create({"/nowhere/at/all", "a", 1}).error().code, ErrorCode::kIo);
}

TEST_F(StatsSegment, RefusesTheFileOfALivingServer) {
  int ready[2];
  int release[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(release), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto writer = StatsWriter::Create({path_, "first", 1});
    char byte = writer ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1 || read(release[0], &byte, 1) < 0) _exit(1);
    _exit(0);  // As a crash: no mark.
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const auto refused = StatsWriter::Create({path_, "second", 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
  EXPECT_THAT(refused.error().message, HasSubstr(fmt::format("in use by first (pid {})", child)));
  EXPECT_EQ(Judge(), ServerState::kUp);

  ASSERT_EQ(write(release[1], &byte, 1), 1);
  siginfo_t ended{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(Judge(), ServerState::kDead) << "a zombie is dead";
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(Judge(), ServerState::kDead);
  EXPECT_TRUE(StatsWriter::Create({path_, "second", 1}));
  for (const int fd : {ready[0], ready[1], release[0], release[1]}) close(fd);
}

TEST_F(StatsSegment, JudgesEachState) {
  EXPECT_EQ(Judge(), ServerState::kAbsent);
  const auto writer = Write();
  EXPECT_EQ(Judge(), ServerState::kUp);
  const std::int64_t now = SystemClock().SteadyNs();
  const std::int64_t limit = std::chrono::nanoseconds(kHungAfter).count();
  const auto judge_at = [&](std::int64_t steady_ns) {
    return JudgeState(ReadStats(path_), "/proc", steady_ns);
  };
  writer->loop(0).Beat(now);
  writer->loop(1).Beat(now - limit);
  EXPECT_EQ(judge_at(now), ServerState::kUp);
  EXPECT_EQ(judge_at(now + 1), ServerState::kHung) << "one loop is enough";
  writer->loop(1).Beat(std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(judge_at(now), ServerState::kHung) << "a hostile heartbeat";
  writer->loop(1).Beat(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(judge_at(now), ServerState::kHung);

  JudgeInput input;
  input.process = ReadProcessIdentity("/proc", getpid());
  input.boot_id = "another boot";
  EXPECT_EQ(JudgeState(*ReadStats(path_), input), ServerState::kDead);
  input.boot_id = "";
  input.process->start_ticks += 1;
  EXPECT_EQ(JudgeState(*ReadStats(path_), input), ServerState::kDead) << "another process";
  writer->MarkStopping();
  EXPECT_EQ(JudgeState(*ReadStats(path_), input), ServerState::kStopping);
}

TEST_F(StatsSegment, AHeartbeatCaughtHalfWrittenIsToldAndNotAwaited) {
  const auto writer = Write(1);
  writer->loop(0).Beat(5);
  std::string content = *ReadFile(path_);
  content[sizeof(stats_layout::Header)] ^= 1;
  ASSERT_TRUE(WriteFileAtomic(path_, content));
  const Result<StatsSnapshot> snapshot = ReadStats(path_);
  ASSERT_TRUE(snapshot);
  EXPECT_TRUE(snapshot->loops[0].torn);
  EXPECT_EQ(snapshot->loops[0].heartbeat_ns, 5);
}

TEST_F(StatsSegment, StaysWholeUnderAWriterThatNeverRests) {
  const auto writer = Write(1);
  std::atomic<bool> stop = false;
  std::thread loop([&] {
    for (std::int64_t i = 1; !stop; ++i) {
      writer->loop(0).Add(Stat::kSentBytes);
      writer->loop(0).Beat(i);
    }
  });
  std::int64_t last = 0;
  for (int i = 0; i < 2000; ++i) {
    const Result<StatsSnapshot> snapshot = ReadStats(path_);
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    const std::int64_t value = snapshot->Total(Stat::kSentBytes);
    EXPECT_GE(value, last);
    last = value;
  }
  stop = true;
  loop.join();
}

TEST_F(StatsSegment, ForeignFilesAreErrorsByKind) {
  EXPECT_EQ(ReadStats(path_).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomic(path_, "x"));
  EXPECT_EQ(ReadStats(path_).error().code, ErrorCode::kInvalid);
  std::string content = *ReadFile(kSampleOfVersion1);
  content[8] = 9;
  ASSERT_TRUE(WriteFileAtomic(path_, content));
  EXPECT_EQ(ReadStats(path_).error().code, ErrorCode::kVersion);
  EXPECT_THAT(ReadStats(path_).error().message, HasSubstr("version 9; this program reads up to 1"));
  EXPECT_EQ(ReadStats("/dev/shm").error().code, ErrorCode::kInvalid);
  std::filesystem::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(ReadStats(path_).error().code, ErrorCode::kInvalid) << "and it did not hang";
  std::filesystem::remove(path_);
  ASSERT_EQ(symlink(std::filesystem::absolute(kSampleOfVersion1).c_str(), path_.c_str()), 0);
  EXPECT_EQ(ReadStats(path_).error().code, ErrorCode::kIo) << "links are not followed";
}

TEST_F(StatsSegment, EveryShorterAndEveryFlippedByteIsSurvived) {
  const std::string content = *ReadFile(kSampleOfVersion1);
  const auto parse = [](const std::string& bytes) {
    return ParseStats(std::as_bytes(std::span(bytes.data(), bytes.size())), "x");
  };
  for (std::size_t size = 0; size < content.size(); ++size) {
    EXPECT_FALSE(parse(content.substr(0, size))) << size;
  }
  for (std::size_t at = 0; at < sizeof(stats_layout::Header); ++at) {
    std::string flipped = content;
    flipped[at] = static_cast<char>(~flipped[at]);
    const Result<StatsSnapshot> snapshot = parse(flipped);
    if (snapshot) {
      EXPECT_EQ(snapshot->loops[0].values.size(), kStatCount);
    }
  }
}

TEST_F(StatsSegment, ReadsASampleOfVersion1) {
  const Result<StatsSnapshot> snapshot = ReadStats(kSampleOfVersion1);
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ(snapshot->version, 1u);
  EXPECT_EQ(snapshot->name, "sample");
  EXPECT_EQ(snapshot->pid, 4242);
  EXPECT_EQ(snapshot->process_start_ticks, 777u);
  EXPECT_EQ(snapshot->boot_id, "00000000-1111-2222-3333-444444444444");
  EXPECT_EQ(snapshot->start_time_ms, 1'700'000'000'000);
  EXPECT_TRUE(snapshot->stopping);
  ASSERT_EQ(snapshot->loops.size(), 2u);
  EXPECT_EQ(snapshot->loops[1].heartbeats, 20u);
  EXPECT_EQ(snapshot->loops[1].heartbeat_ns, 2'000'000'000);
  EXPECT_FALSE(snapshot->loops[1].torn);
  EXPECT_EQ(snapshot->Total(Stat::kReceivedConnect), 3) << "1 in the first loop, 2 in the second";
}

TEST(StatsTable, NamesEachSeriesOnceAndFamiliesTogether) {
  std::set<std::string> series;
  for (std::size_t i = 0; i < kStats.size(); ++i) {
    const StatInfo& stat = kStats[i];
    EXPECT_EQ(static_cast<std::size_t>(stat.id), i);
    const auto& family = kStatFamilies[static_cast<std::size_t>(stat.family)];
    EXPECT_EQ(family.id, stat.family);
    EXPECT_EQ(stat.label_name.empty(), stat.label_value.empty());
    EXPECT_TRUE(series.insert(fmt::format("{}{}", family.name, stat.label_value)).second);
    EXPECT_EQ(family.name.ends_with("_total"), family.type == StatType::kCounter) << family.name;
  }
  std::set<Stat> sorted;
  for (std::size_t i = 0; i < kStatsByFamily.size(); ++i) {
    EXPECT_TRUE(sorted.insert(kStatsByFamily[i].id).second);
    if (i > 0) {
      EXPECT_LE(kStatsByFamily[i - 1].family, kStatsByFamily[i].family);
    }
  }
  EXPECT_EQ(PacketsSent(14), Stat::kSentDisconnect);
  EXPECT_EQ(PublishesDelivered(2), Stat::kPublishesDeliveredQos2);
}

}  // namespace
}  // namespace atalaya::telemetry
