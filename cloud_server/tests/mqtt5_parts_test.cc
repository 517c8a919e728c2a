// The parts that 5.0 brought: properties, aliases, expiry, policies of a full queue, $SYS values.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cloud_server/client_terms.h"
#include "cloud_server/message_properties.h"
#include "cloud_server/retained.h"
#include "cloud_server/session.h"
#include "cloud_server/sys_topics.h"

namespace atalaya::cloud_server {
namespace {

using mqtt::Property;
using telemetry::Stat;

std::string Wire(std::uint32_t expiry_s, std::uint16_t alias) {
  std::string wire;
  mqtt::PropertyWriter writer(&wire);
  writer.Pair("b", "1");
  if (expiry_s != 0) writer.Integer(Property::kMessageExpiry, expiry_s);
  writer.Text(Property::kContentType, "text");
  if (alias != 0) writer.Integer(Property::kTopicAlias, alias);
  writer.Pair("a", "2");
  return wire;
}

MessagePtr Expiring(const std::string& topic, std::int64_t expires_ns) {
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = "payload";
  return Message::Copy(packet, expires_ns);
}

TEST(ClientTerms, NeverTakeMoreThanAPacketCanSay) {
  EXPECT_EQ(ClientTerms(0, 0).max_packet_bytes, mqtt::kMaxPacketBytes);
}

TEST(PublishProperties, PassOnAllButWhatIsOursInOrder) {
  const std::string wire = Wire(60, 3);
  std::string scratch;
  const PublisherProperties taken = TakePublisherProperties(mqtt::Properties(wire), &scratch);
  EXPECT_EQ(taken.expiry_s, 60u);
  EXPECT_EQ(taken.topic_alias, 3u);
  EXPECT_EQ(taken.passed_on.wire(), Wire(0, 0));

  std::string written;
  const mqtt::Properties sent = SubscriberProperties(taken.passed_on, 59, 7, {1, 300}, &written);
  EXPECT_EQ(sent.Integer(Property::kMessageExpiry), 59u);
  EXPECT_EQ(sent.Integer(Property::kTopicAlias), 7u);
  EXPECT_TRUE(sent.wire().ends_with(Wire(0, 0)));
}

TEST(PublishProperties, CountALifetimeInSecondsBegun) {
  EXPECT_EQ(RemainingSeconds(0, 5), std::nullopt);
  EXPECT_EQ(RemainingSeconds(10 * kNsPerSecond, 0), 10u);
  EXPECT_EQ(RemainingSeconds(10 * kNsPerSecond, 1), 10u);
  EXPECT_EQ(RemainingSeconds(10 * kNsPerSecond, 9 * kNsPerSecond + 1), 1u);
  EXPECT_EQ(RemainingSeconds(10 * kNsPerSecond, 10 * kNsPerSecond), 0u);
}

TEST(OutgoingAliases, GiveNumbersToTheFirstTopicsOnly) {
  OutgoingAliases aliases(1);
  EXPECT_EQ(aliases.Find("a").number, 1);
  EXPECT_FALSE(aliases.Find("a").is_known);
  aliases.Remember("a");
  EXPECT_TRUE(aliases.Find("a").is_known);
  EXPECT_EQ(aliases.Find("b").number, 0);
}

TEST(RetainedExpiry, ClearsWhatHasExpiredAndNothingThatReplacedIt) {
  RetainedStore store;
  const RetainedLimits limits{10, 1000};
  store.Set(Expiring("soon", 100), limits);
  store.Set(Expiring("replaced", 100), limits);
  store.Set(Expiring("replaced", 0), limits);
  store.Set(Expiring("later", 200), limits);
  EXPECT_EQ(store.Expire(100).messages, 0);
  EXPECT_EQ(store.Expire(101).messages, -1);
  EXPECT_EQ(store.Snapshot().Find("soon"), nullptr);
  EXPECT_NE(store.Snapshot().Find("replaced"), nullptr);
  EXPECT_EQ(store.Expire(1000).messages, -1);
  EXPECT_EQ(store.Expire(1000).messages, 0);
}

class QueuePolicy : public testing::Test {
 protected:
  QueuePolicy() {
    path_ = std::filesystem::path(testing::TempDir()) / "queue_policy.stats";
    writer_ = *telemetry::StatsWriter::Create({path_, "policy", 1});
    session_ = std::make_unique<Session>("box-7", &writer_->loop(0));
    limits_.session_queue_packets = 2;
  }
  ~QueuePolicy() override {
    session_.reset();
    std::filesystem::remove(path_);
  }
  bool Queue(const std::string& topic, std::int64_t expires_ns = 0) {
    Delivery delivery;
    delivery.message = Expiring(topic, expires_ns);
    delivery.qos = mqtt::Qos::k1;
    return session_->Queue(std::move(delivery), limits_);
  }
  std::string Next(std::int64_t now_ns = 0) {
    const std::optional<Delivery> next = session_->TakeNext(limits_, now_ns);
    return next ? std::string(next->message->topic()) : "nothing";
  }
  std::int64_t Total(Stat stat) { return telemetry::ReadStats(path_)->Total(stat); }

  std::filesystem::path path_;
  std::unique_ptr<telemetry::StatsWriter> writer_;
  Limits limits_;
  std::unique_ptr<Session> session_;
};

TEST_F(QueuePolicy, DropNewestKeepsWhatWaits) {
  limits_.overflow = OverflowPolicy::kDropNewest;
  for (const char* topic : {"a", "b", "c"}) EXPECT_TRUE(Queue(topic));
  EXPECT_EQ(Next(), "a");
  EXPECT_EQ(Next(), "b");
  EXPECT_EQ(Next(), "nothing");
  EXPECT_EQ(Total(Stat::kDroppedQueueFullNewest), 1);
}

TEST_F(QueuePolicy, DisconnectSaysSo) {
  limits_.overflow = OverflowPolicy::kDisconnect;
  EXPECT_TRUE(Queue("a"));
  EXPECT_TRUE(Queue("b"));
  EXPECT_FALSE(Queue("c"));
  EXPECT_EQ(Total(Stat::kDroppedQueueFullDisconnect), 1);
  EXPECT_EQ(Total(Stat::kQueuePackets), 2);
}

TEST_F(QueuePolicy, ExpiredMessagesAreDroppedAndCounted) {
  Queue("short", 100);
  Queue("long", 1000);
  EXPECT_EQ(Next(101), "long");
  EXPECT_EQ(Total(Stat::kDroppedExpired), 1);
}

TEST_F(QueuePolicy, TheClientsReceiveMaximumHolds) {
  session_->receive_maximum = 1;
  Queue("a");
  Queue("b");
  EXPECT_EQ(Next(), "a");
  EXPECT_EQ(Next(), "nothing");
  EXPECT_EQ(session_->OnPuback(1), Session::AckOutcome::kDone);
  EXPECT_EQ(Next(), "b");
}

TEST_F(QueuePolicy, ARefusedPubrecEndsTheExchange) {
  Delivery delivery;
  delivery.message = Expiring("a", 0);
  delivery.qos = mqtt::Qos::k2;
  session_->Queue(std::move(delivery), limits_);
  Next();
  EXPECT_EQ(session_->OnPubrec(1, true), Session::AckOutcome::kDone);
  EXPECT_TRUE(session_->Unacknowledged().empty());
}

TEST(SysTopics, SayWhatChangedAndMeanLoads) {
  telemetry::StatsSnapshot stats;
  stats.loops.resize(1);
  stats.loops[0].values.resize(telemetry::kStatCount);
  const auto set = [&](Stat stat, std::uint64_t value) {
    stats.loops[0].values[static_cast<std::size_t>(stat)] = value;
  };
  SysTopics topics;
  set(Stat::kSessionsConnected, 2);
  set(Stat::kReceivedPublish, 0);
  std::map<std::string, std::string> first = topics.Update(stats, 1);
  EXPECT_EQ(first["$SYS/broker/clients/connected"], "2");
  EXPECT_EQ(first["$SYS/broker/uptime"], "0 seconds");
  set(Stat::kReceivedPublish, 60);
  const std::map<std::string, std::string> then = topics.Update(stats, 1 + 60'000'000'000);
  EXPECT_EQ(then.count("$SYS/broker/clients/connected"), 0u);
  EXPECT_EQ(then.at("$SYS/broker/publish/messages/received"), "60");
  EXPECT_EQ(then.at("$SYS/broker/load/publish/received/1min"), "37.93");  // 60 (1 - 1/e).
}

}  // namespace
}  // namespace atalaya::cloud_server
