#include "cloud_client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "cloud_client/tests/broker.h"

namespace atalaya::cloud_client {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr mqtt::Version kVersion = mqtt::Version::k311;

std::string Describe(const mqtt::Publish& publish) {
  return fmt::format("{}={} q{}{}{}", publish.topic, publish.payload, static_cast<int>(publish.qos),
                     publish.retain ? " retain" : "", publish.dup ? " dup" : "");
}

TEST(Client, ConnectsWithWhatTheOptionsSay) {
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
    mqtt::Frame frame;
    ASSERT_TRUE(peer.Read(&frame));
    const auto connect = mqtt::DecodeConnect(frame);
    ASSERT_TRUE(connect);
    seen.Put(fmt::format("{} clean={} keep={} will={}:{} q{} retain={}", connect->client_id,
                         connect->clean_start, connect->keep_alive_s, connect->will->topic,
                         connect->will->payload, static_cast<int>(connect->will->qos),
                         connect->will->retain));
  }});
  ClientOptions options = broker.Options();
  options.clean_session = false;
  options.keep_alive = std::chrono::seconds(17);
  options.will = {.topic = "t/w", .payload = "gone", .qos = Qos::kAtLeastOnce, .retain = true};
  const auto client = Started(options);
  EXPECT_EQ(seen.Next(), "box clean=false keep=17 will=t/w:gone q1 retain=true");
}

TEST(Client, PublishesInOrderAndTellsOfTheAcknowledgement) {
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
    peer.Accept();
    mqtt::Frame frame;
    while (peer.Read(&frame) && frame.type == mqtt::PacketType::kPublish) {
      const auto publish = mqtt::DecodePublish(frame, kVersion);
      seen.Put(Describe(*publish));
      if (publish->packet_id != 0) peer.Ack(publish->packet_id);
    }
    seen.Put(std::string(mqtt::PacketTypeName(frame.type)));
  }});
  Mail<std::string> done;
  const auto client = Started(broker.Options());
  const auto tell = [&](std::string name) {
    return [&done, name](const Result<Client::Delivery>& outcome) {
      done.Put(name + (outcome ? " done" : " failed"));
    };
  };
  ASSERT_TRUE(client->Publish({.topic = "a", .payload = "1"}, tell("a")));
  ASSERT_TRUE(client->Publish(
      {.topic = "b", .payload = "2", .qos = Qos::kAtLeastOnce, .retain = true}, tell("b")));
  ASSERT_TRUE(client->Publish({.topic = "c", .qos = Qos::kAtLeastOnce}, tell("c")));
  EXPECT_EQ(seen.Next(), "a=1 q0");
  EXPECT_EQ(seen.Next(), "b=2 q1 retain");
  EXPECT_EQ(seen.Next(), "c= q1");
  EXPECT_EQ(done.Next(), "a done");
  EXPECT_EQ(done.Next(), "b done");
  EXPECT_EQ(done.Next(), "c done");
  EXPECT_TRUE(client->Close(kPatience));
  EXPECT_EQ(seen.Next(), "DISCONNECT");
  EXPECT_EQ(client->stats().published, 3u);
  EXPECT_EQ(client->stats().queued_bytes, 0u);
}

TEST(Client, CloseWaitsForWhatIsQueued) {
  std::promise<void> connected;
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
    peer.Accept();
    for (int i = 0; i < 250; ++i) {
      const auto publish = mqtt::DecodePublish(peer.Expect(mqtt::PacketType::kPublish), kVersion);
      peer.Ack(publish->packet_id);
    }
    peer.Expect(mqtt::PacketType::kDisconnect);
    seen.Put("all");
  }});
  const auto client = Started(broker.Options());
  for (int i = 0; i < 250; ++i) {
    ASSERT_TRUE(client->Publish({.topic = "a", .qos = Qos::kAtLeastOnce}));
  }
  EXPECT_TRUE(client->Close(kPatience));
  EXPECT_EQ(seen.Next(), "all");
}

TEST(Client, SendsAgainWhatWasNotAcknowledged) {
  Mail<std::string> seen;
  const auto take = [&](BrokerPeer& peer) {
    const auto publish = mqtt::DecodePublish(peer.Expect(mqtt::PacketType::kPublish), kVersion);
    seen.Put(fmt::format("{} #{}", Describe(*publish), publish->packet_id));
    return publish->packet_id;
  };
  Broker broker({[&](BrokerPeer& peer) {
                   peer.Accept();
                   take(peer);
                   take(peer);
                 },
                 [&](BrokerPeer& peer) {
                   peer.Accept(/*session_present=*/true);
                   peer.Ack(take(peer));
                   take(peer);
                 },
                 [&](BrokerPeer& peer) {
                   peer.Accept();
                   peer.Ack(take(peer));
                   peer.Expect(mqtt::PacketType::kDisconnect);
                 }});
  const auto client = Started(broker.Options());
  ASSERT_TRUE(client->Publish({.topic = "a", .qos = Qos::kAtLeastOnce}));
  ASSERT_TRUE(client->Publish({.topic = "b", .qos = Qos::kAtLeastOnce}));
  for (const char* expected :
       {"a= q1 #1", "b= q1 #2", "a= q1 dup #1", "b= q1 dup #2", "b= q1 #2"}) {
    EXPECT_EQ(seen.Next(), expected);
  }
  EXPECT_TRUE(client->Close(kPatience));
  EXPECT_EQ(client->stats().connects, 3u);
}

TEST(Client, SubscribesAgainAfterReconnect) {
  Mail<std::string> seen;
  const auto take = [&](BrokerPeer& peer, char code) {
    const auto subscribe =
        mqtt::DecodeSubscribe(peer.Expect(mqtt::PacketType::kSubscribe), kVersion);
    seen.Put(fmt::format("{} q{}", subscribe->subscriptions.at(0).filter,
                         static_cast<int>(subscribe->subscriptions.at(0).qos)));
    peer.Suback(subscribe->packet_id, code);
  };
  Broker broker({[&](BrokerPeer& peer) {
                   peer.Accept();
                   take(peer, 1);
                 },
                 [&](BrokerPeer& peer) {
                   peer.Accept();
                   take(peer, '\x80');
                   peer.Expect(mqtt::PacketType::kDisconnect);
                 }});
  Mail<std::string> granted;
  const auto client = Started(broker.Options());
  ASSERT_TRUE(client->Subscribe("telemetry/#", Qos::kAtLeastOnce, [&](Result<Qos> qos) {
    granted.Put(qos ? fmt::format("q{}", static_cast<int>(*qos)) : qos.error().message);
  }));
  EXPECT_EQ(seen.Next(), "telemetry/# q1");
  EXPECT_EQ(granted.Next(), "q1");
  EXPECT_EQ(seen.Next(), "telemetry/# q1");
  EXPECT_THAT(granted.Next(), HasSubstr("refused the subscription to \"telemetry/#\""));
}

TEST(Client, AcknowledgesOnlyWhatWasHandledAndInOrderOfArrival) {
  Mail<std::string> seen;
  Broker broker({[&](BrokerPeer& peer) {
    peer.Accept();
    peer.Publish("a", "1", 11);
    peer.Publish("b", "2", 12);
    peer.Publish("c", "3", 0);
    mqtt::Frame frame;
    while (peer.Read(&frame) && frame.type != mqtt::PacketType::kDisconnect) {
      const bool ack = frame.type == mqtt::PacketType::kPuback;
      seen.Put(ack ? fmt::format("ack {}", mqtt::DecodeAck(frame, kVersion)->packet_id)
                   : "publish");
    }
  }});
  Mail<std::pair<Message, Acknowledge>> received;
  const auto client =
      Started(broker.Options(),
              {.on_connection = nullptr, .on_message = [&](Message message, Acknowledge ack) {
                 received.Put({std::move(message), std::move(ack)});
               }});
  const auto first = received.Next();
  const auto second = received.Next();
  const auto third = received.Next();
  EXPECT_EQ(first.first.topic + first.first.payload, "a1");
  EXPECT_EQ(third.first.qos, Qos::kAtMostOnce);
  third.second();
  second.second();
  second.second();
  // Leaves after whatever was acknowledged so far.
  ASSERT_TRUE(client->Publish({.topic = "mark"}));
  EXPECT_EQ(seen.Next(), "publish");
  first.second();
  EXPECT_EQ(seen.Next(), "ack 11");
  EXPECT_EQ(seen.Next(), "ack 12");
}

TEST(Client, IgnoresAnAcknowledgementOfAnEarlierConnection) {
  Mail<int> acked;
  std::promise<void> again;
  Broker broker({[&](BrokerPeer& peer) {
                   peer.Accept();
                   peer.Publish("a", "1", 5);
                   // Arrives after "a", so that the test knows that "a" was handed over.
                   peer.Publish("end", "", 0);
                   again.get_future().wait();
                 },
                 [&](BrokerPeer& peer) {
                   peer.Accept(true);
                   peer.Publish("a", "1", 5);
                   peer.Publish("b", "2", 6);
                   mqtt::Frame frame;
                   while (peer.Read(&frame) && frame.type == mqtt::PacketType::kPuback) {
                     acked.Put(mqtt::DecodeAck(frame, kVersion)->packet_id);
                   }
                 }});
  Mail<std::pair<Message, Acknowledge>> received;
  Acknowledge kept_after_the_end;
  {
    const auto client =
        Started(broker.Options(),
                {.on_connection = nullptr, .on_message = [&](Message message, Acknowledge ack) {
                   received.Put({std::move(message), std::move(ack)});
                 }});
    const auto old = received.Next();
    received.Next();
    again.set_value();
    const auto first = received.Next();
    const auto second = received.Next();
    old.second();
    second.second();
    first.second();
    EXPECT_EQ(acked.Next(), 5);
    EXPECT_EQ(acked.Next(), 6);
    kept_after_the_end = second.second;
  }
  kept_after_the_end();
  EXPECT_TRUE(acked.empty());
}

TEST(Client, TellsWhyItIsNotConnected) {
  std::string address;
  {
    const Result<UniqueFd> closed = ListenTcp({"127.0.0.1", 0});
    address = LocalAddress(closed->get())->ToString();
  }
  ClientOptions options;
  options.servers = {*ParseHostPort(address)};
  Mail<ConnectionEvent> events;
  const auto client =
      Started(options, {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                        .on_message = nullptr});
  const ConnectionEvent event = events.Next();
  EXPECT_FALSE(event.connected);
  EXPECT_EQ(event.error.message, "cannot connect to " + address + ": Connection refused");
  EXPECT_GE(event.retry_in, kDefaultReconnectMin / 2);
}

TEST(Client, TriesEveryAddressOfAName) {
  Broker broker({[&](BrokerPeer& peer) { peer.Accept(); }});
  ClientOptions options = broker.Options();
  options.servers.front().host = "localhost";  // ::1 too, where nobody listens.
  Mail<ConnectionEvent> events;
  const auto client =
      Started(options, {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                        .on_message = nullptr});
  const ConnectionEvent event = events.Next();
  EXPECT_TRUE(event.connected) << event.error.message;
}

TEST(Client, TellsThatTheServerRefuses) {
  Broker broker({[&](BrokerPeer& peer) { peer.Accept(false, 5); }});
  Mail<ConnectionEvent> events;
  const auto client = Started(
      broker.Options(), {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                         .on_message = nullptr});
  EXPECT_EQ(events.Next().error.message,
            broker.address() + ": the server refused the connection: not authorized (code 5)");
}

TEST(Client, LeavesAServerThatSpeaksNonsense) {
  Broker broker({[&](BrokerPeer& peer) { peer.Raw(std::string(200, 'H')); },
                 [&](BrokerPeer& peer) {
                   peer.Accept();
                   peer.Raw(
                       std::string("\x32\x03\x00\x01"
                                   "a",
                                   5));
                 },
                 [&](BrokerPeer& peer) { peer.Publish("a", "", 0); }});
  Mail<ConnectionEvent> events;
  const auto client = Started(
      broker.Options(), {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                         .on_message = nullptr});
  EXPECT_THAT(events.Next().error.message, HasSubstr("out of turn"));
  EXPECT_TRUE(events.Next().connected);
  EXPECT_THAT(events.Next().error.message, HasSubstr("sent a malformed PUBLISH (truncated)"));
  EXPECT_THAT(events.Next().error.message, HasSubstr("sent PUBLISH out of turn"));
}

TEST(Client, GivesUpOnASilentServer) {
  Broker broker({[&](BrokerPeer& peer) {
    peer.Expect(mqtt::PacketType::kConnect);
    mqtt::Frame frame;
    peer.Read(&frame);
  }});
  ClientOptions options = broker.Options();
  options.connect_timeout = milliseconds(30);
  Mail<ConnectionEvent> events;
  const auto client =
      Started(options, {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                        .on_message = nullptr});
  EXPECT_EQ(events.Next().error.message, broker.address() + ": no answer within 30 ms");
}

TEST(Client, PingsAndNoticesWhenNoAnswerComes) {
  Broker broker({[&](BrokerPeer& peer) {
    peer.Accept();
    peer.Expect(mqtt::PacketType::kPingreq);
    std::string out;
    mqtt::EncodePingresp(&out);
    peer.Raw(out);
    peer.Expect(mqtt::PacketType::kPingreq);
    mqtt::Frame frame;
    peer.Read(&frame);
  }});
  ClientOptions options = broker.Options();
  options.keep_alive = std::chrono::seconds(1);
  Mail<ConnectionEvent> events;
  const auto client =
      Started(options, {.on_connection = [&](const ConnectionEvent& event) { events.Put(event); },
                        .on_message = nullptr});
  EXPECT_TRUE(events.Next().connected);
  EXPECT_EQ(events.Next().error.code, ErrorCode::kTimeout);
}

TEST(Client, RefusesBeyondItsQueueAndFailsTheRestAtTheEnd) {
  std::promise<void> over;
  Broker broker({[&](BrokerPeer&) { over.get_future().wait(); }});
  ClientOptions options = broker.Options();
  options.queue_packets = 2;
  Mail<std::string> done;
  const auto client = Started(options);
  const auto tell = [&](const Result<Client::Delivery>& outcome) {
    done.Put(outcome ? "done" : outcome.error().message);
  };
  EXPECT_TRUE(client->Publish({.topic = "a"}, tell));
  EXPECT_TRUE(client->Publish({.topic = "b"}, tell));
  const Status third = client->Publish({.topic = "c"}, tell);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::kLimit);
  const Status closed = client->Close(milliseconds(0));
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, ErrorCode::kTimeout);
  EXPECT_THAT(done.Next(), HasSubstr("was closed first"));
  EXPECT_THAT(done.Next(), HasSubstr("was closed first"));
  EXPECT_TRUE(done.empty());
  EXPECT_EQ(client->Publish({.topic = "d"}, tell).error().code, ErrorCode::kIo);
  EXPECT_TRUE(client->Close(milliseconds(0)));
  over.set_value();
}

TEST(Client, RefusesWrongOptionsTopicsAndFilters) {
  ClientOptions nameless;
  nameless.clean_session = false;
  EXPECT_EQ(Client::Start(nameless, {}).error().code, ErrorCode::kInvalid);
  Broker broker({});
  const auto client = Started(broker.Options());
  EXPECT_EQ(client->Publish({.topic = "a/#"}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(client->Publish({.topic = "\xff"}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(
      client->Publish({.topic = "a", .payload = std::string(kMaxPublishBytes, 'x')}).error().code,
      ErrorCode::kLimit);
  EXPECT_EQ(client->Subscribe("a/#/b", Qos::kAtMostOnce).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace atalaya::cloud_client
