#include "cloud_server/session.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;
using Outcome = Session::AckOutcome;

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    path_ = std::filesystem::path(testing::TempDir()) / "session_test.stats";
    writer_ = *telemetry::StatsWriter::Create({path_, "session", 1});
    session_ = std::make_unique<Session>("box-7", &writer_->loop(0));
  }
  ~SessionTest() override { std::filesystem::remove(path_); }

  void Queue(const std::string& payload, mqtt::Qos qos = mqtt::Qos::k1) {
    mqtt::Publish packet;
    packet.topic = "t";
    packet.payload = payload;
    Delivery delivery;
    delivery.message = Message::Copy(packet);
    delivery.qos = qos;
    session_->Queue(std::move(delivery), limits_);
  }
  std::string Next() {
    const std::optional<Delivery> next = session_->TakeNext(limits_, 0);
    return next ? std::to_string(next->packet_id) + ":" + std::string(next->message->payload())
                : "nothing";
  }
  std::int64_t Total(Stat stat) { return telemetry::ReadStats(path_)->Total(stat); }

  std::filesystem::path path_;
  std::unique_ptr<telemetry::StatsWriter> writer_;
  Limits limits_;
  std::unique_ptr<Session> session_;
};

TEST_F(SessionTest, SendsInOrderUpToTheInFlightLimit) {
  limits_.in_flight = 2;
  for (const char* text : {"a", "b", "c"}) Queue(text);
  EXPECT_EQ(Next(), "1:a");
  EXPECT_EQ(Next(), "2:b");
  EXPECT_EQ(Next(), "nothing");
  EXPECT_EQ(session_->OnPuback(2), Outcome::kDone);
  EXPECT_EQ(Next(), "3:c");
  EXPECT_EQ(Total(Stat::kInflightOut), 2);
  EXPECT_EQ(Total(Stat::kQueuePackets), 0);
}

TEST_F(SessionTest, DropsTheOldestWaitingAtItsPacketLimitAndCountsIt) {
  limits_.session_queue_packets = 2;
  for (const char* text : {"a", "b", "c", "d"}) Queue(text);
  EXPECT_EQ(Next(), "1:c");
  EXPECT_EQ(Next(), "2:d");
  EXPECT_EQ(Total(Stat::kDroppedQueueFull), 2);
}

TEST_F(SessionTest, DropsTheOldestWaitingAtItsByteLimitButNeverTheOnlyOne) {
  limits_.session_queue_bytes = 10;
  Queue(std::string(100, 'x'));
  EXPECT_EQ(session_->queue_size(), 1u);
  Queue("small");
  EXPECT_EQ(Next(), "1:small");
  EXPECT_EQ(Total(Stat::kQueueBytes), 0);
}

TEST_F(SessionTest, RepeatsWhatWasNotAcknowledgedInTheOrderItWasSent) {
  for (const char* text : {"a", "b", "c"})
    Queue(text, text[0] == 'b' ? mqtt::Qos::k2 : mqtt::Qos::k1);
  while (Next() != "nothing") {
  }
  EXPECT_EQ(session_->OnPuback(1), Outcome::kDone);
  EXPECT_EQ(session_->OnPubrec(2), Outcome::kRelease);
  const std::vector<Delivery> again = session_->Unacknowledged();
  ASSERT_EQ(again.size(), 2u);
  EXPECT_TRUE(again[0].is_pubrel);
  EXPECT_EQ(again[0].packet_id, 2);
  EXPECT_EQ(again[1].message->payload(), "c");
  EXPECT_TRUE(again[1].dup);
}

TEST_F(SessionTest, TellsWrongAcknowledgementsFromUnknownOnes) {
  Queue("a", mqtt::Qos::k1);
  Queue("b", mqtt::Qos::k2);
  Next();
  Next();
  EXPECT_EQ(session_->OnPuback(7), Outcome::kUnknown);
  EXPECT_EQ(session_->OnPuback(0), Outcome::kUnknown);
  EXPECT_EQ(session_->OnPubrec(1), Outcome::kWrongState);
  EXPECT_EQ(session_->OnPuback(2), Outcome::kWrongState);
  EXPECT_EQ(session_->OnPubcomp(2), Outcome::kWrongState);
  EXPECT_EQ(session_->OnPubrec(2), Outcome::kRelease);
  EXPECT_EQ(session_->OnPubrec(2), Outcome::kRelease);
  EXPECT_EQ(session_->OnPubcomp(2), Outcome::kDone);
  EXPECT_EQ(session_->OnPubcomp(2), Outcome::kUnknown);
}

TEST_F(SessionTest, NeverUsesAPacketIdThatIsOnTheWay) {
  Queue("stuck");
  EXPECT_EQ(Next(), "1:stuck");
  for (int i = 0; i < 65'533; ++i) {
    Queue("x");
    const std::optional<Delivery> next = session_->TakeNext(limits_, 0);
    ASSERT_TRUE(next) << i;
    ASSERT_NE(next->packet_id, 1) << i;
    ASSERT_NE(next->packet_id, 0) << i;
    ASSERT_EQ(session_->OnPuback(next->packet_id), Outcome::kDone);
  }
  Queue("y");
  EXPECT_EQ(Next(), "nothing");
  EXPECT_EQ(session_->OnPuback(1), Outcome::kDone);
  EXPECT_EQ(Next(), "65535:y");
  Queue("z");
  EXPECT_EQ(Next(), "1:z");
}

TEST_F(SessionTest, TakesAnIncomingQos2IdOnceUntilItIsReleased) {
  EXPECT_TRUE(session_->BeginIncoming(9));
  EXPECT_FALSE(session_->BeginIncoming(9));
  EXPECT_TRUE(session_->EndIncoming(9));
  EXPECT_FALSE(session_->EndIncoming(9));
  EXPECT_TRUE(session_->BeginIncoming(9));
}

TEST_F(SessionTest, CountsWhatEndsWithIt) {
  limits_.in_flight = 1;
  for (const char* text : {"a", "b", "c"}) Queue(text);
  Next();
  session_.reset();
  EXPECT_EQ(Total(Stat::kDroppedSessionEnded), 3);
  EXPECT_EQ(Total(Stat::kQueuePackets), 0);
  EXPECT_EQ(Total(Stat::kQueueBytes), 0);
  EXPECT_EQ(Total(Stat::kInflightOut), 0);
}

}  // namespace
}  // namespace atalaya::cloud_server
