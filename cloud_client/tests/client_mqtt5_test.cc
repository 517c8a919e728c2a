#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloud_client/tests/broker.h"

namespace atalaya::cloud_client {
namespace {

using mqtt::PacketType;
using mqtt::Property;
using mqtt::Version;
using testing::HasSubstr;

std::string Word(const mqtt::Frame& frame, Version version) {
  if (frame.type == PacketType::kPublish) {
    const auto publish = mqtt::DecodePublish(frame, version);
    return fmt::format("{} q{} #{}{}", publish->payload, static_cast<int>(publish->qos),
                       publish->packet_id, publish->dup ? " dup" : "");
  }
  if (frame.type == PacketType::kDisconnect) return "DISCONNECT";
  const auto ack = mqtt::DecodeAck(frame, version);
  return fmt::format("{} #{}{}", mqtt::PacketTypeName(frame.type), ack->packet_id,
                     ack->reason == mqtt::Reason::kSuccess ? "" : " failed");
}

class QosTwo : public testing::TestWithParam<Version> {
 protected:
  // What the client sends next, as a word.
  std::string Next(BrokerPeer& peer) {
    mqtt::Frame frame;
    return peer.Read(&frame) ? Word(frame, GetParam()) : "gone";
  }
};

TEST_P(QosTwo, GoesOutInFourSteps) {
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
                  peer.Accept();
                  seen.Put(Next(peer));
                  peer.Ack(1, PacketType::kPubrec);
                  seen.Put(Next(peer));
                  peer.Ack(1, PacketType::kPubcomp);
                  seen.Put(Next(peer));
                }},
                GetParam());
  const auto client = Started(broker.Options());
  Mail<std::string> done;
  ASSERT_TRUE(client->Publish(
      {.topic = "a", .payload = "1", .qos = Qos::kExactlyOnce},
      [&](const Result<Client::Delivery>& outcome) { done.Put(outcome ? "done" : "failed"); }));
  EXPECT_EQ(seen.Next(), "1 q2 #1");
  EXPECT_EQ(seen.Next(), "PUBREL #1");
  EXPECT_EQ(done.Next(), "done");
  EXPECT_TRUE(client->Close(kPatience));
  EXPECT_EQ(seen.Next(), "DISCONNECT");
}

TEST_P(QosTwo, GoesOnWhereItStoodAfterAReconnect) {
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
                   peer.Accept();
                   seen.Put(Next(peer));
                   seen.Put(Next(peer));
                   peer.Ack(1, PacketType::kPubrec);
                   seen.Put(Next(peer));
                 },
                 [&](BrokerPeer& peer) {
                   peer.Accept(/*session_present=*/true);
                   seen.Put(Next(peer));
                   seen.Put(Next(peer));
                   peer.Ack(1, PacketType::kPubcomp);
                   peer.Ack(2, PacketType::kPubrec);
                   seen.Put(Next(peer));
                   peer.Ack(2, PacketType::kPubcomp);
                   seen.Put(Next(peer));
                 }},
                GetParam());
  ClientOptions options = broker.Options();
  options.clean_session = false;
  const auto client = Started(options);
  ASSERT_TRUE(client->Publish({.topic = "a", .payload = "1", .qos = Qos::kExactlyOnce}));
  ASSERT_TRUE(client->Publish({.topic = "a", .payload = "2", .qos = Qos::kExactlyOnce}));
  for (const char* expected :
       {"1 q2 #1", "2 q2 #2", "PUBREL #1", "PUBREL #1", "2 q2 #2 dup", "PUBREL #2"}) {
    EXPECT_EQ(seen.Next(), expected);
  }
  EXPECT_TRUE(client->Close(kPatience));
  EXPECT_EQ(client->stats().published, 2u);
}

TEST_P(QosTwo, IsHandedOverOnceAlsoWhenItIsSentAgain) {
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
                   peer.Accept();
                   peer.Publish("a", "1", 7, mqtt::Qos::k2);
                   peer.Publish("a", "1", 7, mqtt::Qos::k2, /*dup=*/true);
                   peer.Publish("end", "", 0);
                   seen.Put("first over");
                 },
                 [&](BrokerPeer& peer) {
                   peer.Accept(/*session_present=*/true);
                   peer.Publish("a", "1", 7, mqtt::Qos::k2, /*dup=*/true);
                   seen.Put(Next(peer));
                   peer.Ack(7, PacketType::kPubrel);
                   seen.Put(Next(peer));
                   peer.Publish("a", "2", 7, mqtt::Qos::k2);
                   seen.Put(Next(peer));
                 }},
                GetParam());
  ClientOptions options = broker.Options();
  options.clean_session = false;
  Mail<std::pair<Message, Acknowledge>> received;
  const auto client = Started(
      options, {.on_connection = nullptr, .on_message = [&](Message message, Acknowledge ack) {
                  received.Put({std::move(message), std::move(ack)});
                }});
  const auto first = received.Next();
  EXPECT_EQ(first.first.payload, "1");
  EXPECT_EQ(first.first.qos, Qos::kExactlyOnce);
  EXPECT_EQ(received.Next().first.topic, "end");
  EXPECT_EQ(seen.Next(), "first over");
  first.second();  // On whichever connection there is.
  EXPECT_EQ(seen.Next(), "PUBREC #7");
  EXPECT_EQ(seen.Next(), "PUBCOMP #7");
  const auto second = received.Next();
  EXPECT_EQ(second.first.payload, "2");
  second.second();
  EXPECT_EQ(seen.Next(), "PUBREC #7");
}

INSTANTIATE_TEST_SUITE_P(Versions, QosTwo, testing::Values(Version::k311, Version::k5));

TEST(ClientMqtt5, FallsBackOnlyWhenTheVersionIsRefused) {
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
                   const auto connect = mqtt::DecodeConnect(peer.Expect(PacketType::kConnect));
                   seen.Put(fmt::format("version {}", static_cast<int>(connect->version)));
                   peer.Raw(std::string("\x20\x02\x00\x01", 4));
                 },
                 [&](BrokerPeer& peer) {
                   const auto connect = mqtt::DecodeConnect(peer.Expect(PacketType::kConnect));
                   seen.Put(fmt::format("version {}", static_cast<int>(connect->version)));
                   peer.Raw(std::string("\x20\x02\x00\x00", 4));
                   mqtt::Frame frame;
                   peer.Read(&frame);
                 }},
                Version::k5);
  Mail<ConnectionEvent> events;
  const auto client = Started(
      broker.Options(), {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                         .on_message = nullptr});
  EXPECT_EQ(seen.Next(), "version 5");
  EXPECT_EQ(seen.Next(), "version 4");
  const ConnectionEvent event = events.Next();
  EXPECT_TRUE(event.connected) << event.error.message;
  EXPECT_EQ(event.server.ToString(), broker.address());
}

TEST(ClientMqtt5, SaysTheServersReasons) {
  const auto with_reason = [](const std::string& why) {
    std::string properties;
    mqtt::PropertyWriter(&properties).Text(Property::kReasonString, why);
    return properties;
  };
  Broker broker({[&](BrokerPeer& peer) { peer.Accept(false, 0x87, with_reason("ask Ana")); },
                 [&](BrokerPeer& peer) {
                   peer.Accept();
                   peer.Expect(PacketType::kPublish);
                   peer.Ack(1, PacketType::kPuback, mqtt::Reason::kNotAuthorized, "not yours");
                   peer.Expect(PacketType::kPublish);
                   peer.Ack(2, PacketType::kPubrec, mqtt::Reason::kQuotaExceeded);
                   peer.Expect(PacketType::kPublish);
                   peer.Ack(3, PacketType::kPuback, mqtt::Reason::kNoMatchingSubscribers);
                   mqtt::Disconnect disconnect;
                   disconnect.reason = mqtt::Reason::kSessionTakenOver;
                   std::string out;
                   mqtt::EncodeDisconnect(disconnect, Version::k5, &out);
                   peer.Raw(out);
                 }},
                Version::k5);
  Mail<ConnectionEvent> events;
  Mail<std::string> done;
  const auto tell = [&](const Result<Client::Delivery>& outcome) {
    done.Put(!outcome ? outcome.error().message : outcome->matched ? "matched" : "nobody");
  };
  const auto client = Started(
      broker.Options(), {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                         .on_message = nullptr});
  EXPECT_EQ(
      events.Next().error.message,
      broker.address() + ": the server refused the connection: not authorized (0x87): ask Ana");
  EXPECT_TRUE(events.Next().connected);
  ASSERT_TRUE(client->Publish({.topic = "a", .qos = Qos::kAtLeastOnce}, tell));
  EXPECT_THAT(done.Next(), HasSubstr("refused a packet to a: not authorized (0x87): not yours"));
  ASSERT_TRUE(client->Publish({.topic = "b", .qos = Qos::kExactlyOnce}, tell));
  EXPECT_THAT(done.Next(), HasSubstr("quota exceeded (0x97)"));
  ASSERT_TRUE(client->Publish({.topic = "c", .qos = Qos::kAtLeastOnce}, tell));
  EXPECT_EQ(done.Next(), "nobody");
  EXPECT_THAT(events.Next().error.message, HasSubstr("another client with this id has connected"));
  EXPECT_EQ(client->stats().refused, 2u);
}

TEST(ClientMqtt5, KeepsToWhatTheServerAllows) {
  std::string properties;
  mqtt::PropertyWriter writer(&properties);
  writer.Integer(Property::kReceiveMaximum, 2);
  writer.Integer(Property::kMaximumQos, 1);
  writer.Integer(Property::kRetainAvailable, 0);
  writer.Integer(Property::kMaximumPacketSize, 100);
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
                  peer.Accept(false, 0, properties);
                  for (int i = 0; i < 2; ++i) {
                    seen.Put(Word(peer.Expect(PacketType::kPublish), Version::k5));
                  }
                  peer.Ack(1);
                  seen.Put(Word(peer.Expect(PacketType::kPublish), Version::k5));
                  peer.Ack(2);
                  peer.Ack(3);
                  peer.Expect(PacketType::kDisconnect);
                }},
                Version::k5);
  Mail<std::string> done;
  const auto tell = [&](const Result<Client::Delivery>& outcome) {
    done.Put(outcome ? "done" : outcome.error().message);
  };
  const auto client = Started(broker.Options());
  for (const char* payload : {"1", "2", "3"}) {
    ASSERT_TRUE(
        client->Publish({.topic = "a", .payload = payload, .qos = Qos::kExactlyOnce}, tell));
  }
  ASSERT_TRUE(client->Publish({.topic = "b", .retain = true}, tell));
  ASSERT_TRUE(client->Publish({.topic = "c", .payload = std::string(200, 'x')}, tell));
  EXPECT_EQ(seen.Next(), "1 q1 #1");
  EXPECT_EQ(seen.Next(), "2 q1 #2");
  EXPECT_EQ(seen.Next(), "3 q1 #3");
  for (int i = 0; i < 3; ++i) EXPECT_THAT(done.Next(), testing::AnyOf("done", HasSubstr("server")));
  EXPECT_TRUE(client->Close(kPatience));
  EXPECT_EQ(client->stats().published, 3u);
  EXPECT_EQ(client->stats().refused, 2u);
}

TEST(ClientMqtt5, ReadsTheTimeOfAPacketThatWasKept) {
  std::string properties;
  mqtt::PropertyWriter(&properties).Pair("time", "1700000000.123");
  std::string wrong;
  mqtt::PropertyWriter(&wrong).Pair("time", "yesterday");
  Broker broker({[&](BrokerPeer& peer) {
                  peer.Accept();
                  peer.Publish("a", "1", 0, mqtt::Qos::k0, false, properties);
                  peer.Publish("a", "2", 0, mqtt::Qos::k0, false, wrong);
                  mqtt::Frame frame;
                  peer.Read(&frame);
                }},
                Version::k5);
  Mail<Message> received;
  const auto client =
      Started(broker.Options(),
              {.on_connection = nullptr, .on_message = [&](Message message, const Acknowledge&) {
                 received.Put(std::move(message));
               }});
  EXPECT_EQ(received.Next().time_ms, 1'700'000'000'123);
  EXPECT_EQ(received.Next().time_ms, std::nullopt);
}

TEST(Client, TriesItsServersInOrderAndNamesThemAll) {
  HostPort closed;
  {
    const Result<UniqueFd> listener = ListenTcp({"127.0.0.1", 0});
    closed = *LocalAddress(listener->get());
  }
  Broker refusing({[&](BrokerPeer& peer) { peer.Accept(false, 3); }});
  Broker serving({[&](BrokerPeer& peer) {
    peer.Accept();
    mqtt::Frame frame;
    peer.Read(&frame);
  }});
  ClientOptions options = serving.Options();
  options.servers = {closed, *ParseHostPort(refusing.address()), *ParseHostPort(serving.address())};
  Mail<ConnectionEvent> events;
  {
    const auto client =
        Started(options, {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                          .on_message = nullptr});
    const ConnectionEvent event = events.Next();
    EXPECT_TRUE(event.connected) << event.error.message;
    EXPECT_EQ(event.server.ToString(), serving.address());
  }
  options.servers = {closed, closed};
  const auto client =
      Started(options, {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                        .on_message = nullptr});
  const std::string one = "cannot connect to " + closed.ToString() + ": Connection refused";
  EXPECT_EQ(events.Next().error.message, one + "; " + one);
}

}  // namespace
}  // namespace atalaya::cloud_client
