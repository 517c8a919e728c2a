// The small parts of a loop: output, timer wheel, ring, batch.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/unique_fd.h"
#include "cloud_server/channel.h"
#include "cloud_server/output.h"
#include "cloud_server/retained.h"
#include "cloud_server/timer_wheel.h"

namespace atalaya::cloud_server {
namespace {

MessagePtr MakeMessage(std::string_view topic, std::string_view payload) {
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = payload;
  packet.retain = true;
  return Message::Copy(packet);
}

TEST(Output, SendsSmallAndSharedPartsInOrderThroughASmallSocket) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  const UniqueFd writer(pair[0]);
  const UniqueFd reader(pair[1]);
  BufferPool pool;
  Output output(&pool);
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string small = "small" + std::to_string(i);
    output.Append(small);
    expected += small;
    if (i % 3 != 0) continue;
    const std::string large(20'000, static_cast<char>('a' + i % 26));
    output.AppendPayload(MakeMessage("t", large));
    expected += large;
  }
  EXPECT_EQ(output.bytes(), expected.size());
  std::string got;
  std::size_t sent = 0;
  char buffer[65'536];
  while (got.size() < expected.size()) {
    ASSERT_NE(output.Flush(writer.get(), nullptr, &sent), Output::Outcome::kFailed);
    EXPECT_EQ(output.bytes(), expected.size() - sent);
    const ssize_t n = recv(reader.get(), buffer, sizeof buffer, 0);
    ASSERT_GT(n, 0);
    got.append(buffer, static_cast<std::size_t>(n));
  }
  EXPECT_EQ(got, expected);
  EXPECT_TRUE(output.empty());
}

TEST(Output, SaysThatThePeerIsGone) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const UniqueFd writer(pair[0]);
  UniqueFd(pair[1]).Reset();
  BufferPool pool;
  Output output(&pool);
  output.Append("x");
  std::size_t sent = 0;
  EXPECT_EQ(output.Flush(writer.get(), nullptr, &sent), Output::Outcome::kFailed);
}

TEST(TimerWheel, CallsEachEntryOnceWhenItIsDue) {
  TimerWheel wheel;
  TimerWheel::Entry entries[4];
  wheel.Schedule(&entries[0], 5);
  wheel.Schedule(&entries[1], 5);
  wheel.Schedule(&entries[2], 5'000);  // Beyond one turn of the wheel.
  wheel.Schedule(&entries[3], 7);
  wheel.Cancel(&entries[3]);
  std::vector<std::pair<std::int64_t, TimerWheel::Entry*>> calls;
  const auto due = [&](TimerWheel::Entry* entry) { calls.emplace_back(wheel.now_tick(), entry); };
  for (std::int64_t tick = 1; tick <= 6'000; ++tick) wheel.Advance(tick, due);
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].first, 5);
  EXPECT_EQ(calls[1].first, 5);
  EXPECT_EQ(calls[2], std::make_pair(std::int64_t{5'000}, &entries[2]));
}

TEST(TimerWheel, TakesALongJump) {
  TimerWheel wheel;
  TimerWheel::Entry entries[2];
  wheel.Schedule(&entries[0], 3);
  wheel.Schedule(&entries[1], 700);
  int calls = 0;
  wheel.Advance(1'000'000, [&](TimerWheel::Entry*) { ++calls; });
  EXPECT_EQ(calls, 2);
}

TEST(TimerWheel, LetsACallScheduleItselfAgain) {
  TimerWheel wheel;
  TimerWheel::Entry entry;
  wheel.Schedule(&entry, 1);
  int calls = 0;
  for (std::int64_t tick = 1; tick <= 10; ++tick) {
    wheel.Advance(tick, [&](TimerWheel::Entry* due) {
      ++calls;
      wheel.Schedule(due, tick);  // Due already: the next one.
    });
  }
  EXPECT_EQ(calls, 10);
}

TEST(SpscRing, HandsOverInOrderBetweenTwoThreadsAndNeverMissesAWake) {
  constexpr int kCount = 100'000;
  SpscRing<int, 16> ring;
  std::atomic<int> wakes{1};
  std::thread producer([&] {
    for (int i = 0; i < kCount;) {
      bool was_empty = false;
      if (!ring.Push(i, &was_empty)) {
        std::this_thread::yield();
        continue;
      }
      ++i;
      if (was_empty) {
        wakes.fetch_add(1);
        wakes.notify_one();
      }
    }
  });
  int expected = 0;
  int seen_wakes = 0;
  while (expected < kCount) {
    wakes.wait(seen_wakes);
    seen_wakes = wakes.load();
    int value = 0;
    while (ring.Pop(&value)) ASSERT_EQ(value, expected++);
  }
  producer.join();
}

// Writes down what a batch hands out.
struct Recorder {
  std::vector<std::string>* got;
  void operator()(const Burst& burst) const {
    got->push_back("burst " + std::string(burst.topic) + " " + std::to_string(burst.packets) + " " +
                   std::to_string(burst.payload_bytes) + " " + std::to_string(burst.wire.size()));
  }
  void operator()(Publication& publication) const {
    got->push_back(std::string(publication.packet.topic) + " " +
                   std::to_string(publication.packet.payload.size()) + " qos" +
                   std::to_string(static_cast<int>(publication.packet.qos)) +
                   (publication.packet.retain ? " retain" : "") +
                   (publication.shared ? " shared" : ""));
  }
};

TEST(Batch, KeepsEachPublishWhole) {
  Batch batch;
  const std::string wire("\x30\x04\0\1t!\x30\x04\0\1t?", 12);
  Burst burst;
  burst.topic = std::string_view(wire).substr(4, 1);
  burst.wire = wire;
  burst.packets = 2;
  burst.payload_bytes = 2;
  batch.Add(burst);
  Publication reliable;
  reliable.packet.topic = "a/b";
  reliable.packet.payload = "payload";
  reliable.packet.qos = mqtt::Qos::k1;
  reliable.packet.packet_id = 7;
  reliable.packet.retain = true;
  batch.Add(&reliable);
  const std::string body(kShareBytes, 'x');
  Publication large;
  large.packet.topic = "large";
  large.packet.payload = body;
  batch.Add(&large);

  std::vector<std::string> got;
  batch.ForEach(Recorder{&got});
  EXPECT_EQ(got, (std::vector<std::string>{"burst t 2 2 12", "a/b 7 qos1 retain",
                                           "large 16384 qos0 shared"}));
  batch.Clear();
  EXPECT_TRUE(batch.empty());
}

TEST(RetainedStore, KeepsTheLastOfEachTopicWithinItsLimits) {
  RetainedStore store;
  const RetainedLimits limits{2, 100};
  EXPECT_EQ(store.Set(MakeMessage("a", "1"), limits).messages, 1);
  EXPECT_EQ(store.Set(MakeMessage("a", "22"), limits).bytes, 1);
  EXPECT_EQ(store.Set(MakeMessage("b", "1"), limits).messages, 1);
  EXPECT_TRUE(store.Set(MakeMessage("c", "1"), limits).refused);
  EXPECT_TRUE(store.Set(MakeMessage("a", std::string(200, 'x')), limits).refused);
  EXPECT_EQ(store.Snapshot().Find("a")->message->payload(), "22");
  EXPECT_EQ(store.Set(MakeMessage("b", ""), limits).messages, -1);
  EXPECT_EQ(store.Set(MakeMessage("b", ""), limits).messages, 0);
  EXPECT_FALSE(store.Set(MakeMessage("c", "1"), limits).refused);
  EXPECT_TRUE(store.Set(MakeMessage(std::string(kMaxTopicLevels, '/'), "1"), {9, 9'999}).refused);
}

}  // namespace
}  // namespace atalaya::cloud_server
