#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloud_client/spool.h"
#include "cloud_client/tests/broker.h"
#include "cloud_client/tests/temp_folder.h"

namespace atalaya::cloud_client {
namespace {

using mqtt::PacketType;
using mqtt::Version;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr std::chrono::milliseconds kAtOnce{0};

class ClientSpool : public testing::Test {
 protected:
  ClientOptions Options(const Broker& broker) const {
    ClientOptions options = broker.Options();
    options.clean_session = false;
    options.spool = {.directory = (folder_.path() / "spool").string(),
                     .max_bytes = kDefaultSpoolBytes};
    return options;
  }
  static HostPort Nobody() {
    const Result<UniqueFd> listener = ListenTcp({"127.0.0.1", 0});
    return *LocalAddress(listener->get());
  }
  // Publishes and waits until all is on disk.
  static void Store(Client* client, const std::vector<std::string>& payloads, Qos qos) {
    Mail<bool> stored;
    for (const std::string& payload : payloads) {
      ASSERT_TRUE(client->Publish(
          {.topic = "a", .payload = payload, .qos = qos, .retain = false},
          [&](const Result<Client::Delivery>& outcome) { stored.Put(outcome.has_value()); }));
    }
    for (std::size_t i = 0; i < payloads.size(); ++i) EXPECT_TRUE(stored.Next());
  }
  static std::string Take(BrokerPeer& peer, std::uint16_t* packet_id) {
    const auto publish = mqtt::DecodePublish(peer.Expect(PacketType::kPublish), Version::k5);
    *packet_id = publish->packet_id;
    mqtt::Properties properties = publish->properties;
    mqtt::PropertyValue value;
    const std::string time = properties.Next(&value) ? std::string(value.value) : "";
    return fmt::format("{} q{}{} {}={}", publish->payload, static_cast<int>(publish->qos),
                       publish->dup ? " dup" : "", value.text, time);
  }

  TempFolder folder_;
};

TEST_F(ClientSpool, DeliversWithALaterProcessInOrderAndWithItsTime) {
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
                  peer.Accept();
                  for (int i = 0; i < 3; ++i) {
                    std::uint16_t packet_id = 0;
                    seen.Put(Take(peer, &packet_id));
                    if (packet_id != 0) peer.Ack(packet_id);
                  }
                  peer.Expect(PacketType::kDisconnect);
                }},
                Version::k5);
  {
    ClientOptions away = Options(broker);
    away.servers = {Nobody()};
    const auto client = Started(away);
    Store(client.get(), {"1", "2"}, Qos::kAtLeastOnce);
    Store(client.get(), {"3"}, Qos::kAtMostOnce);
    EXPECT_EQ(client->stats().queued_packets, 3u);
    const Status closed = client->Close(kAtOnce);
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error().message, "3 packets were not delivered; they are kept in the spool");
  }
  const auto client = Started(Options(broker));
  EXPECT_TRUE(client->Close(kPatience));
  const std::string time = " time=[0-9]+\\.[0-9][0-9][0-9]";
  EXPECT_THAT(seen.Next(), MatchesRegex("1 q1" + time));
  EXPECT_THAT(seen.Next(), MatchesRegex("2 q1" + time));
  EXPECT_THAT(seen.Next(), MatchesRegex("3 q0" + time));
  EXPECT_EQ(client->stats().queued_packets, 0u);
}

// The broker's side of QoS 2 keeps its state over the client's "crash"; the client's state is on
// disk only, since a new Client knows nothing else.
TEST_F(ClientSpool, QosTwoGoesOnWhereItStoodInALaterProcess) {
  Mail<std::string> seen;
  std::uint16_t first = 0;
  std::uint16_t second = 0;
  Broker broker(
      {[&](BrokerPeer& peer) {
         peer.Accept();
         seen.Put(Take(peer, &first));
         seen.Put(Take(peer, &second));
         peer.Ack(first, PacketType::kPubrec);
         const auto release = mqtt::DecodeAck(peer.Expect(PacketType::kPubrel), Version::k5);
         seen.Put(fmt::format("released {}", release->packet_id == first));
       },
       [&](BrokerPeer& peer) {
         peer.Accept(/*session_present=*/true);
         const auto release = mqtt::DecodeAck(peer.Expect(PacketType::kPubrel), Version::k5);
         seen.Put(fmt::format("released {}", release->packet_id == first));
         peer.Ack(first, PacketType::kPubcomp, mqtt::Reason::kPacketIdNotFound);
         std::uint16_t again = 0;
         seen.Put(Take(peer, &again));
         seen.Put(fmt::format("same id {}", again == second));
         peer.Ack(second, PacketType::kPubrec);
         peer.Expect(PacketType::kPubrel);
         peer.Ack(second, PacketType::kPubcomp);
         peer.Expect(PacketType::kDisconnect);
       }},
      Version::k5);
  {
    ClientOptions once = Options(broker);
    once.reconnect_min = once.reconnect_max = std::chrono::hours(1);
    const auto client = Started(once);
    Store(client.get(), {"1", "2"}, Qos::kExactlyOnce);
    EXPECT_THAT(seen.Next(), HasSubstr("1 q2 time="));
    EXPECT_THAT(seen.Next(), HasSubstr("2 q2 time="));
    EXPECT_EQ(seen.Next(), "released true");
    EXPECT_FALSE(client->Close(kAtOnce));
  }
  const auto client = Started(Options(broker));
  EXPECT_TRUE(client->Close(kPatience));
  EXPECT_EQ(seen.Next(), "released true");
  EXPECT_THAT(seen.Next(), HasSubstr("2 q2 dup time="));
  EXPECT_EQ(seen.Next(), "same id true");
}

TEST_F(ClientSpool, ARefusedPacketIsToldAndGivesWay) {
  Broker broker({[&](BrokerPeer& peer) {
                   peer.Accept();
                   std::uint16_t packet_id = 0;
                   Take(peer, &packet_id);
                   peer.Ack(packet_id, PacketType::kPuback, mqtt::Reason::kNotAuthorized);
                   Take(peer, &packet_id);
                   peer.Ack(packet_id, PacketType::kPuback, mqtt::Reason::kQuotaExceeded);
                   mqtt::Frame frame;
                   peer.Read(&frame);
                 },
                 [&](BrokerPeer& peer) {
                   peer.Accept(true);
                   std::uint16_t packet_id = 0;
                   EXPECT_THAT(Take(peer, &packet_id), HasSubstr("2 q1 dup"));
                   peer.Ack(packet_id);
                   peer.Expect(PacketType::kDisconnect);
                 }},
                Version::k5);
  Mail<std::string> refused;
  const auto client =
      Started(Options(broker), {.on_connection = nullptr,
                                .on_message = nullptr,
                                .on_refused = [&](const std::string& topic, const Error& why) {
                                  refused.Put(topic + ": " + why.message);
                                }});
  Store(client.get(), {"1", "2"}, Qos::kAtLeastOnce);
  EXPECT_THAT(refused.Next(), HasSubstr("not authorized (0x87)"));
  EXPECT_TRUE(client->Close(kPatience));
  EXPECT_TRUE(refused.empty()) << "no room is a matter of time";
  EXPECT_EQ(client->stats().refused, 1u);
  EXPECT_EQ(client->stats().published, 1u);
}

TEST_F(ClientSpool, RefusesPublishesBeyondItsBound) {
  Broker broker({}, Version::k5);
  ClientOptions options = Options(broker);
  options.servers = {Nobody()};
  options.spool->max_bytes = kMinSpoolBytes;
  const auto client = Started(options);
  Mail<bool> stored;
  Status taken;
  std::size_t count = 0;
  for (; taken; ++count) {
    ASSERT_LT(count, 100u);
    taken = client->Publish(
        {.topic = "a", .payload = std::string(100'000, 'x')},
        [&](const Result<Client::Delivery>& outcome) { stored.Put(outcome.has_value()); });
    if (taken) {
      EXPECT_TRUE(stored.Next());
    }
  }
  EXPECT_EQ(count, 11u);
  EXPECT_EQ(taken.error().code, ErrorCode::kLimit);
  EXPECT_THAT(taken.error().message, HasSubstr("the spool is full: 10 packets"));
}

TEST_F(ClientSpool, NeedsASessionThatIsKept) {
  Broker broker({}, Version::k5);
  ClientOptions options = Options(broker);
  options.clean_session = true;
  EXPECT_EQ(Client::Start(options, {}).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace atalaya::cloud_client
