#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "cloud_server/address_table.h"
#include "cloud_server/loop.h"
#include "cloud_server/memory_account.h"
#include "cloud_server/tests/server_bench.h"
#include "cloud_server/throttle.h"

namespace atalaya::cloud_server {
namespace {

using mqtt::Qos;
using telemetry::Stat;
using Verdict = AddressTable::Verdict;

constexpr std::int64_t kSecond = 1'000'000'000;

std::string PublishPacket(std::string_view topic, std::string_view payload, Qos qos = Qos::k0,
                          std::uint16_t id = 0, mqtt::Version version = mqtt::Version::k311) {
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = payload;
  packet.qos = qos;
  packet.packet_id = id;
  std::string bytes;
  mqtt::EncodePublish(packet, version, &bytes);
  return bytes;
}

TEST(AddressTable, CountsConnectionsOfEachAddress) {
  AddressTable table;
  const Limits limits{.address_connections = 2};
  EXPECT_EQ(table.Admit(1, "a", limits, 0), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(2, "a", limits, 0), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(3, "a", limits, 0), Verdict::kTooMany);
  EXPECT_EQ(table.Admit(3, "b", limits, 0), Verdict::kAdmitted);
  table.Leave(1);
  table.Leave(1);  // It has left already.
  EXPECT_EQ(table.Admit(4, "a", limits, 0), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(5, "a", limits, 0), Verdict::kTooMany);
}

TEST(AddressTable, LetsAnAddressConnectAtItsRate) {
  AddressTable table;
  const Limits limits{.address_connect_rate = 2};
  EXPECT_EQ(table.Admit(1, "a", limits, kSecond), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(2, "a", limits, kSecond), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(3, "a", limits, kSecond), Verdict::kTooFast);
  EXPECT_EQ(table.Admit(3, "b", limits, kSecond), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(4, "a", limits, kSecond + kSecond / 2), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(5, "a", limits, kSecond + kSecond / 2), Verdict::kTooFast);
  EXPECT_EQ(table.Admit(5, "a", limits, kSecond), Verdict::kTooFast) << "another loop's clock";
}

TEST(AddressTable, ForgetsQuietAddressesAndIsBounded) {
  AddressTable table;
  const Limits limits{.address_connections = 1};
  for (std::size_t i = 0; i < kMaxAddresses; ++i) {
    const int fd = static_cast<int>(i);
    ASSERT_EQ(table.Admit(fd, std::to_string(i), limits, 0), Verdict::kAdmitted);
    if (i % 2 == 0) table.Leave(fd);
  }
  EXPECT_EQ(table.Admit(-1, "one more", limits, kSecond), Verdict::kAdmitted);
  EXPECT_EQ(table.size(), kMaxAddresses) << "let in, and not watched";
  EXPECT_EQ(table.Admit(-2, "and another", limits, 10 * kSecond), Verdict::kAdmitted);
  EXPECT_EQ(table.size(), kMaxAddresses / 2 + 1);
}

TEST(Throttle, LetsASecondsWorthGoAtOnceAndThenAtTheRate) {
  const Limits limits{.client_publish_rate = 10};
  Throttle throttle(limits, 0);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(throttle.Pay(1000, limits, 0));
  EXPECT_FALSE(throttle.Pay(1000, limits, 0));
  EXPECT_FALSE(throttle.Pay(1000, limits, kSecond / 20));
  EXPECT_TRUE(throttle.Pay(1000, limits, kSecond / 10));
  EXPECT_FALSE(throttle.Pay(1000, limits, kSecond / 10));
}

TEST(Throttle, LetsALargePacketGoAndThenMakesUpForIt) {
  const Limits limits{.client_publish_bytes = 1000};
  Throttle throttle(limits, 0);
  EXPECT_TRUE(throttle.Pay(5000, limits, 0));
  EXPECT_FALSE(throttle.Pay(1, limits, 3 * kSecond));
  EXPECT_TRUE(throttle.Pay(1, limits, 4 * kSecond + 1'000'000));
}

TEST(MessageMemory, CountsBodiesThatAreAlive) {
  SettleMessageAccount();
  const std::int64_t before = MessageMemory();
  mqtt::Publish packet;
  const std::string payload(100'000, 'x');
  packet.payload = payload;
  {
    const MessagePtr message = Message::Copy(packet);
    const MessagePtr again = message;
    SettleMessageAccount();
    EXPECT_GE(MessageMemory() - before, 100'000);
    EXPECT_LT(MessageMemory() - before, 101'000);
  }
  SettleMessageAccount();
  EXPECT_EQ(MessageMemory(), before);
}

class Bounds : public ServerBench {};

TEST_F(Bounds, RefusesTheConnectionThatIsOneTooManyOfItsAddress) {
  Start({.address_connections = 2});
  TestClient first(address());
  auto second = std::make_unique<TestClient>(address());
  EXPECT_EQ(first.Connect("first"), 0);
  EXPECT_EQ(second->Connect("second"), 0);
  TestClient third(address());
  EXPECT_TRUE(third.WaitClosed());
  EXPECT_EQ(Total(Stat::kRefusedAddressLimit), 1);
  second.reset();
  EXPECT_TRUE(Reaches(Stat::kConnections, 1));
  TestClient fourth(address());
  EXPECT_EQ(fourth.Connect("fourth"), 0);
  first.Ping();
}

TEST_F(Bounds, RefusesConnectionsThatComeTooFast) {
  Start({.address_connect_rate = 1});
  TestClient first(address());
  EXPECT_EQ(first.Connect("first"), 0);
  TestClient second(address());
  EXPECT_TRUE(second.WaitClosed());
  EXPECT_EQ(Total(Stat::kRefusedConnectRate), 1);
}

TEST_F(Bounds, SlowsAPublisherWithoutLosingAnything) {
  Start({.client_publish_rate = 40});
  TestClient subscriber(address());
  ASSERT_EQ(subscriber.Connect("subscriber"), 0);
  ASSERT_EQ(subscriber.Subscribe("t"), 0);
  {
    TestClient publisher(address());
    ASSERT_EQ(publisher.Connect("publisher"), 0);
    std::string packets;
    for (int i = 0; i < 60; ++i) packets += PublishPacket("t", std::to_string(i));
    publisher.Send(packets + std::string("\xe0\x00", 2));  // And a DISCONNECT.
  }
  for (int i = 0; i < 60; ++i) EXPECT_EQ(subscriber.NextMessage(), "t=" + std::to_string(i));
  EXPECT_GE(Total(Stat::kPausesRate), 1);
  EXPECT_TRUE(Reaches(Stat::kClosedDisconnect, 1));
  EXPECT_TRUE(Reaches(Stat::kParkedBytes, 0));
}

TEST_F(Bounds, CountsUnfinishedPacketsAndEndsWhoHoldsMemoryWithThem) {
  constexpr std::int64_t kLimit = 1 << 20;
  Start({.memory_bytes = kLimit, .memory_wait = std::chrono::milliseconds(100)});
  TestClient holder(address());
  mqtt::Connect connect;
  connect.version = mqtt::Version::k5;
  connect.client_id = "holder";
  ASSERT_EQ(holder.Connect(connect), 0);
  const std::string packet =
      PublishPacket("t", std::string(4 * kLimit, 'x'), Qos::k0, 0, mqtt::Version::k5);
  ASSERT_EQ(send(holder.fd(), packet.data(), kLimit / 2, MSG_NOSIGNAL), kLimit / 2);
  EXPECT_TRUE(Eventually([&] { return Total(Stat::kParkedBytes) == kLimit / 2; }));
  ASSERT_EQ(send(holder.fd(), packet.data(), kLimit, MSG_NOSIGNAL), kLimit);
  const std::optional<mqtt::Frame> frame = holder.Receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(mqtt::DecodeDisconnect(*frame, mqtt::Version::k5)->reason,
            mqtt::Reason::kQuotaExceeded);
  EXPECT_TRUE(Reaches(Stat::kClosedMemoryLimit, 1));
  EXPECT_TRUE(Reaches(Stat::kParkedBytes, 0));
  TestClient other(address());
  ASSERT_EQ(other.Connect("other"), 0);
  ASSERT_EQ(other.Subscribe("t"), 0);
  other.Publish("t", "x");
  EXPECT_EQ(other.NextMessage(), "t=x");
}

// Sends `bytes` until all are taken, or none for a while; returns how many were.
std::size_t SendWhileTaken(int fd, std::string_view bytes) {
  std::size_t taken = 0;
  pollfd waited{fd, POLLOUT, 0};
  while (taken < bytes.size() && poll(&waited, 1, 500) == 1) {
    const ssize_t sent = send(fd, bytes.data() + taken, bytes.size() - taken, MSG_NOSIGNAL);
    if (sent <= 0) break;
    taken += static_cast<std::size_t>(sent);
  }
  return taken;
}

TEST_F(Bounds, ReadsNothingFromWhoTakesNoAnswers) {
  constexpr std::int64_t kOutput = 64 << 10;
  Start({.connection_output_bytes = kOutput});
  TestClient client(address());
  ASSERT_EQ(client.Connect("client"), 0);
  const int few = 16 << 10;
  setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &few, sizeof(few));
  setsockopt(client.fd(), SOL_SOCKET, SO_SNDBUF, &few, sizeof(few));
  std::string pubrels;  // More than the kernel holds on the way; each is answered by as much.
  while (pubrels.size() < 24u << 20) pubrels.append("\x62\x02\x00\x01", 4);
  const std::size_t taken = SendWhileTaken(client.fd(), pubrels);
  EXPECT_LT(taken, pubrels.size());
  EXPECT_LE(Total(Stat::kOutputBytes), kOutput + 2 * static_cast<std::int64_t>(kReadBytes));
  std::vector<char> answers(64 << 10);
  pollfd waited{client.fd(), POLLIN, 0};
  for (std::size_t left = taken / 4 * 4; left > 0;) {
    ASSERT_EQ(poll(&waited, 1, 20'000), 1);
    const ssize_t got = recv(client.fd(), answers.data(), std::min(left, answers.size()), 0);
    ASSERT_GT(got, 0);
    left -= static_cast<std::size_t>(got);
  }
}

TEST_F(Bounds, GivesNoMemoryToWhoHasNotConnected) {
  Start({.connect_timeout = std::chrono::hours(1)});
  TestClient large(address());
  large.Send(std::string("\x10\x81\x80\x20", 4));  // A CONNECT of 512 KiB and more.
  EXPECT_TRUE(large.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kClosedTooLarge, 1));
  TestClient foreign(address());
  foreign.Send("G");  // Of "GET /".
  EXPECT_TRUE(foreign.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kClosedProtocolError, 1));
}

TEST_F(Bounds, TakesAcknowledgementsOfOneThatMayNotPublish) {
  Start({.in_flight = 1, .client_publish_rate = 2});
  TestClient both(address());
  ASSERT_EQ(both.Connect("both"), 0);
  ASSERT_EQ(both.Subscribe("in", Qos::k1), 1);
  std::string packets;
  for (int i = 0; i < 20; ++i) packets += PublishPacket("out", std::to_string(i));
  both.Send(packets);  // Some 10 s of work.
  TestClient other(address());
  ASSERT_EQ(other.Connect("other"), 0);
  other.Publish("in", "1", Qos::k1);
  other.Publish("in", "2", Qos::k1);
  EXPECT_EQ(both.NextMessage(), "in=1");
  EXPECT_EQ(both.NextMessage(), "in=2") << "it needs the PUBACK of the first";
  both.Ping();
  EXPECT_GT(Total(Stat::kParkedBytes), 0);
}

class ShortOfMemory : public Bounds {
 protected:
  // Fills the queue of a client that is away, up to the limit of memory.
  void Fill() {
    Start({.max_packet_bytes = 1u << 20,
           .memory_bytes = 2u << 20,
           .memory_wait = std::chrono::milliseconds(100)});
    {
      TestClient away(address());
      ASSERT_EQ(away.Connect("away", false), 0);
      ASSERT_EQ(away.Subscribe("queue", Qos::k1), 1);
    }
    ASSERT_TRUE(Reaches(Stat::kSessionsOffline, 1));
    TestClient filler(address());
    ASSERT_EQ(filler.Connect("filler"), 0);
    const std::string payload(60'000, 'x');
    std::uint16_t id = 0;
    while (Total(Stat::kClosedMemoryLimit) == 0 && id < 200) {
      filler.Send(PublishPacket("queue", payload, Qos::k1, ++id));
    }
    EXPECT_TRUE(filler.WaitClosed()) << "3.1.1 has no other way to say no";
    EXPECT_TRUE(Reaches(Stat::kClosedMemoryLimit, 1));
    EXPECT_GE(Total(Stat::kPausesMemory), 1);
    EXPECT_LT(Total(Stat::kQueueBytes), 3 << 20);
  }
};

// What the PUBACK of one publish at QoS 1 says; -1 where none comes.
int ReasonOfPublish(TestClient& client) {
  client.Send(PublishPacket("elsewhere", "x", Qos::k1, 7, mqtt::Version::k5));
  const std::optional<mqtt::Frame> puback = client.Receive();
  if (!puback || puback->type != mqtt::PacketType::kPuback) return -1;
  return puback->body.size() < 3 ? 0 : static_cast<std::uint8_t>(puback->body[2]);
}

TEST_F(ShortOfMemory, RefusesPublishersAfterAWhileAndServesOnWhenThereIsRoom) {
  Fill();
  const std::int64_t dropped = Total(Stat::kDroppedMemoryLimit);
  TestClient v5(address());
  mqtt::Connect connect;
  connect.version = mqtt::Version::k5;
  connect.client_id = "v5";
  connect.clean_start = true;
  ASSERT_EQ(v5.Connect(connect), 0);
  EXPECT_EQ(ReasonOfPublish(v5), 0x97);
  TestClient plain(address());
  ASSERT_EQ(plain.Connect("plain"), 0);
  plain.Send(PublishPacket("elsewhere", "x"));
  EXPECT_TRUE(Reaches(Stat::kDroppedMemoryLimit, dropped + 2));

  // Who takes what waits for it makes room, while nobody may publish.
  std::int64_t waiting = Total(Stat::kQueuePackets);
  ASSERT_GT(waiting, 10);
  TestClient away(address());
  ASSERT_EQ(away.Connect("away", false), 0);
  for (; waiting > 0; --waiting) ASSERT_NE(away.NextMessage(), "closed");
  EXPECT_TRUE(Eventually([&] { return ReasonOfPublish(v5) != 0x97; }));
}

TEST_F(Bounds, EndsTheSlowestConsumerRatherThanSlowAllWhenMemoryIsShort) {
  Start({.connection_output_bytes = 64u << 20,
         .memory_bytes = 4u << 20,
         .memory_wait = std::chrono::milliseconds(10'000)});
  TestClient slow(address());
  ASSERT_EQ(slow.Connect("slow"), 0);
  ASSERT_EQ(slow.Subscribe("t"), 0);
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  const std::string packet = PublishPacket("t", std::string(10'000, 'x'));
  int sent = 0;
  while (Total(Stat::kClosedSlowConsumer) == 0 && sent++ < 10'000) publisher.Send(packet);
  EXPECT_TRUE(Reaches(Stat::kClosedSlowConsumer, 1));
  publisher.Ping();
  EXPECT_EQ(Total(Stat::kDroppedMemoryLimit), 0);
}

TEST_F(Bounds, NeverDelaysOthersForASlowConsumer) {
  Start();
  TestClient slow(address());
  ASSERT_EQ(slow.Connect("slow"), 0);
  ASSERT_EQ(slow.Subscribe("#"), 0);
  TestClient quick(address());
  ASSERT_EQ(quick.Connect("quick"), 0);
  ASSERT_EQ(quick.Subscribe("t"), 0);
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  const std::string payload(100'000, 'x');
  for (int i = 0; i < 300; ++i) {  // 30 MB: the slow one's 8 MiB are long full.
    publisher.Publish("t", payload);
    ASSERT_EQ(quick.NextMessage().size(), payload.size() + 2);
  }
  EXPECT_GT(Total(Stat::kDroppedSlowConsumer), 0);
}

}  // namespace
}  // namespace atalaya::cloud_server
