// A whole server, spoken to over raw sockets.

#include <sys/socket.h>

#include <fstream>
#include <thread>

#include "cloud_server/tests/server_bench.h"

namespace atalaya::cloud_server {
namespace {

using mqtt::Qos;
using telemetry::Stat;

class Server : public ServerBench {};

TEST_F(Server, CarriesPublishesOfManyClientsInOrderAcrossItsLoops) {
  Start();
  constexpr int kPairs = 8;
  constexpr int kMessages = 500;
  std::vector<std::thread> threads;
  for (int pair = 0; pair < kPairs; ++pair) {
    threads.emplace_back([this, pair] {
      const Qos qos = pair % 2 == 0 ? Qos::k0 : Qos::k1;
      const std::string topic = "t/" + std::to_string(pair);
      TestClient subscriber(address());
      EXPECT_EQ(subscriber.Connect("sub" + std::to_string(pair)), 0);
      EXPECT_EQ(subscriber.Subscribe(topic, qos), static_cast<int>(qos));
      TestClient publisher(address());
      EXPECT_EQ(publisher.Connect("pub" + std::to_string(pair)), 0);
      for (int i = 0; i < kMessages; ++i) publisher.Publish(topic, std::to_string(i), qos);
      for (int i = 0; i < kMessages; ++i) {
        ASSERT_EQ(subscriber.NextMessage(), topic + "=" + std::to_string(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Reaches(Stat::kPublishesDeliveredQos0, kPairs / 2 * kMessages));
  EXPECT_TRUE(Reaches(Stat::kPublishesDeliveredQos1, kPairs / 2 * kMessages));
  EXPECT_TRUE(Reaches(Stat::kConnections, 0));
  EXPECT_TRUE(Reaches(Stat::kSubscriptions, 0));
  EXPECT_TRUE(Reaches(Stat::kSessionsConnected, 0));
  EXPECT_TRUE(Reaches(Stat::kSessionsOffline, 0));
  EXPECT_TRUE(Reaches(Stat::kInflightOut, 0));
}

TEST_F(Server, SubackMeansThatEveryLaterPublishArrives) {
  Start();
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  for (int i = 0; i < 50; ++i) {
    TestClient subscriber(address());
    ASSERT_EQ(subscriber.Connect("s" + std::to_string(i)), 0);
    ASSERT_EQ(subscriber.Subscribe("now"), 0);
    publisher.Publish("now", std::to_string(i));
    ASSERT_EQ(subscriber.NextMessage(), "now=" + std::to_string(i));
  }
}

TEST_F(Server, FansOneBodyOutToAll) {
  Start();
  std::vector<std::unique_ptr<TestClient>> subscribers;
  for (int i = 0; i < 20; ++i) {
    subscribers.push_back(std::make_unique<TestClient>(address()));
    ASSERT_EQ(subscribers.back()->Connect("s" + std::to_string(i)), 0);
    ASSERT_NE(subscribers.back()->Subscribe("large", i % 2 == 0 ? Qos::k0 : Qos::k1), -1);
  }
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  const std::string body(300'000, 'x');
  publisher.Publish("large", body, Qos::k1);
  for (const auto& subscriber : subscribers) EXPECT_EQ(subscriber->NextMessage(), "large=" + body);
}

TEST_F(Server, KeepsAPersistentSessionWhileItsClientIsAway) {
  Start();
  {
    TestClient client(address());
    ASSERT_EQ(client.Connect("sleeper", false), 0);
    EXPECT_FALSE(client.session_present());
    ASSERT_EQ(client.Subscribe("mail", Qos::k1), 1);
  }
  ASSERT_TRUE(Reaches(Stat::kSessionsOffline, 1));
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  publisher.Publish("mail", "zero", Qos::k0);
  for (const char* text : {"one", "two"}) publisher.Publish("mail", text, Qos::k1);
  ASSERT_TRUE(Reaches(Stat::kQueuePackets, 2));
  {
    TestClient client(address());
    ASSERT_EQ(client.Connect("sleeper", false), 0);
    EXPECT_TRUE(client.session_present());
    const std::optional<mqtt::Publish> first = client.NextPublish();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->payload, "one");
    EXPECT_FALSE(first->dup);
  }
  ASSERT_TRUE(Reaches(Stat::kSessionsOffline, 1));
  TestClient client(address());
  ASSERT_EQ(client.Connect("sleeper", false), 0);
  const std::optional<mqtt::Publish> again = client.NextPublish();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->payload, "one");
  EXPECT_TRUE(again->dup);
  client.Puback(again->packet_id);
  EXPECT_EQ(client.NextMessage(), "mail=two");
  TestClient fresh(address());
  ASSERT_EQ(fresh.Connect("sleeper", true), 0);
  EXPECT_FALSE(fresh.session_present());
}

TEST_F(Server, DropsTheOldestOfAFullSessionQueueAndCountsIt) {
  Limits limits;
  limits.session_queue_packets = 3;
  Start(limits);
  {
    TestClient client(address());
    ASSERT_EQ(client.Connect("sleeper", false), 0);
    ASSERT_EQ(client.Subscribe("mail", Qos::k1), 1);
  }
  ASSERT_TRUE(Reaches(Stat::kSessionsOffline, 1));
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  for (int i = 0; i < 5; ++i) publisher.Publish("mail", std::to_string(i), Qos::k1);
  ASSERT_TRUE(Reaches(Stat::kDroppedQueueFull, 2));
  TestClient client(address());
  ASSERT_EQ(client.Connect("sleeper", false), 0);
  for (const char* text : {"mail=2", "mail=3", "mail=4"}) EXPECT_EQ(client.NextMessage(), text);
}

TEST_F(Server, LetsANewConnectionTakeOverAndPublishesTheOldOnesWill) {
  Start();
  TestClient watcher(address());
  ASSERT_EQ(watcher.Connect("watcher"), 0);
  ASSERT_EQ(watcher.Subscribe("will"), 0);
  mqtt::Connect connect;
  connect.client_id = "twin";
  connect.will = mqtt::Will{"will", "gone", Qos::k0, false, {}};
  TestClient first(address());
  ASSERT_EQ(first.Connect(connect), 0);
  TestClient second(address());
  ASSERT_EQ(second.Connect("twin"), 0);
  EXPECT_TRUE(first.WaitClosed());
  EXPECT_EQ(watcher.NextMessage(), "will=gone");
  second.Ping();
  EXPECT_EQ(Total(Stat::kClosedTakeover), 1);
}

TEST_F(Server, ClosesASilentClientAfterOneAndAHalfKeepAlives) {
  Start();
  TestClient watcher(address());
  ASSERT_EQ(watcher.Connect("watcher"), 0);
  ASSERT_EQ(watcher.Subscribe("will"), 0);
  mqtt::Connect connect;
  connect.client_id = "silent";
  connect.keep_alive_s = 1;
  connect.will = mqtt::Will{"will", "silent", Qos::k0, false, {}};
  TestClient silent(address());
  const auto before = std::chrono::steady_clock::now();
  ASSERT_EQ(silent.Connect(connect), 0);
  EXPECT_EQ(watcher.NextMessage(), "will=silent");
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(1'500));
  EXPECT_EQ(Total(Stat::kClosedKeepAlive), 1);
}

TEST_F(Server, ClosesAConnectionThatNeverSendsAConnect) {
  Limits limits;
  limits.connect_timeout = std::chrono::milliseconds(200);
  Start(limits);
  TestClient client(address());
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kClosedConnectTimeout, 1));
}

TEST_F(Server, DropsForASlowConsumerOnlyAndCountsIt) {
  Limits limits;
  limits.connection_output_bytes = 100'000;
  Start(limits);
  TestClient slow(address());
  ASSERT_EQ(slow.Connect("slow"), 0);
  ASSERT_EQ(slow.Subscribe("flood"), 0);
  TestClient quick(address());
  ASSERT_EQ(quick.Connect("quick"), 0);
  ASSERT_EQ(quick.Subscribe("flood"), 0);
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  const std::string body(10'000, 'x');
  for (int i = 0; i < 2'000; ++i) {
    publisher.Publish("flood", body);
    ASSERT_EQ(quick.NextMessage(), "flood=" + body) << i;
  }
  EXPECT_GT(Total(Stat::kDroppedSlowConsumer), 0);
  EXPECT_LE(Total(Stat::kOutputBytes), 2 * 100'000 + 20'000);
}

TEST_F(Server, PausesAQos1StreamForASlowConsumerWithoutLoss) {
  Limits limits;
  limits.connection_output_bytes = 50'000;
  Start(limits);
  TestClient slow(address());
  ASSERT_EQ(slow.Connect("slow"), 0);
  ASSERT_EQ(slow.Subscribe("flood", Qos::k1), 1);
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  const std::string body(5'000, 'x');
  for (int i = 0; i < 1'000; ++i) publisher.Publish("flood", std::to_string(i) + body, Qos::k1);
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(slow.NextMessage(), "flood=" + std::to_string(i) + body);
  }
  EXPECT_EQ(Total(Stat::kDroppedQueueFull), 0);
}

TEST_F(Server, RefusesConnectionsAtItsLimit) {
  Limits limits;
  limits.max_connections = 2;
  Start(limits);
  TestClient first(address());
  ASSERT_EQ(first.Connect("first"), 0);
  TestClient second(address());
  ASSERT_EQ(second.Connect("second"), 0);
  TestClient third(address());
  EXPECT_TRUE(third.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kRefusedConnectionLimit, 1));
  first.Ping();
}

TEST_F(Server, RefusesAPacketOverItsLimitBeforeItHasCome) {
  Limits limits;
  limits.max_packet_bytes = 2'000;
  Start(limits);
  TestClient client(address());
  ASSERT_EQ(client.Connect("large"), 0);
  client.Send("\x30\xFF\x7F");  // 16,383 bytes to follow.
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kClosedTooLarge, 1));
  EXPECT_TRUE(Reaches(Stat::kMalformedTooLarge, 1));
}

TEST_F(Server, TakesPacketsInPiecesOfAnySize) {
  Start();
  TestClient subscriber(address());
  ASSERT_EQ(subscriber.Connect("subscriber"), 0);
  ASSERT_EQ(subscriber.Subscribe("pieces"), 0);
  TestClient publisher(address());
  std::string bytes;
  mqtt::Connect connect;
  connect.client_id = "publisher";
  mqtt::EncodeConnect(connect, &bytes);
  const std::string body(200'000, 'y');
  mqtt::Publish packet;
  packet.topic = "pieces";
  packet.payload = body;
  mqtt::EncodePublish(packet, mqtt::Version::k311, &bytes);
  packet.payload = "last";
  mqtt::EncodePublish(packet, mqtt::Version::k311, &bytes);
  for (std::size_t at = 0, piece = 1; at < bytes.size(); at += piece, piece = piece * 2 % 9'973) {
    publisher.Send(std::string_view(bytes).substr(at, piece));
  }
  EXPECT_EQ(subscriber.NextMessage(), "pieces=" + body);
  EXPECT_EQ(subscriber.NextMessage(), "pieces=last");
}

TEST_F(Server, RoutesEachOfABurstByItsOwnTopicUpToTheBrokenOne) {
  Start();
  TestClient subscriber(address());
  ASSERT_EQ(subscriber.Connect("subscriber"), 0);
  ASSERT_EQ(subscriber.Subscribe("#"), 0);
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  std::string bytes;
  for (const char* topic : {"t", "t", "tt", "t", "t/", "t"}) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = "x";
    mqtt::EncodePublish(packet, mqtt::Version::k311, &bytes);
  }
  bytes += std::string_view("\x30\x03\x00\x02t", 5);  // Its topic is said to be longer.
  publisher.Send(bytes);
  for (const char* text : {"t=x", "t=x", "tt=x", "t=x", "t/=x", "t=x"}) {
    EXPECT_EQ(subscriber.NextMessage(), text);
  }
  EXPECT_TRUE(publisher.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kMalformedTruncated, 1));
  EXPECT_TRUE(Reaches(Stat::kReceivedPublish, 7));
  EXPECT_TRUE(Reaches(Stat::kPublishesReceivedQos0, 6));
}

TEST_F(Server, EndsEachMalformedPacketsConnectionCountedByReasonAndNoOther) {
  Start();
  TestClient bystander(address());
  ASSERT_EQ(bystander.Connect("bystander"), 0);
  using namespace std::string_view_literals;
  const struct {
    std::string_view bytes;
    Stat counter;
  } cases[] = {
      {"\x00\x00"sv, Stat::kMalformedFixedHeader},
      {"\x31\xFF\xFF\xFF\xFF"sv, Stat::kMalformedLength},
      {"\x30\x02\x00\x05"sv, Stat::kMalformedTruncated},
      {"\xC0\x01\x00"sv, Stat::kMalformedTrailing},
      {"\x30\x04\x00\x02\xC3\x28"sv, Stat::kMalformedString},
      {"\x30\x03\x00\x01#"sv, Stat::kMalformedTopic},
      {"\x40\x02\x00\x00"sv, Stat::kMalformedPacketId},
      {"\x36\x05\x00\x01t\x00\x01"sv, Stat::kMalformedQos},
      {"\x82\x02\x00\x01"sv, Stat::kMalformedOther},
      {"\x20\x02\x00\x00"sv, Stat::kMalformedUnexpected},
  };
  for (const auto& each : cases) {
    TestClient client(address());
    ASSERT_EQ(client.Connect("client"), 0);
    const std::int64_t before = Total(each.counter);
    client.Send(each.bytes);
    EXPECT_TRUE(client.WaitClosed());
    EXPECT_TRUE(Reaches(each.counter, before + 1));
  }
  TestClient early(address());
  early.Send("\xC0\x00"sv);
  EXPECT_TRUE(early.WaitClosed());
  TestClient stranger(address());
  stranger.Send("\x10\x0C\x00\x04MQTX\x04\x02\x00\x00\x00\x00"sv);
  EXPECT_TRUE(stranger.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kMalformedProtocolName, 1));
  bystander.Ping();
}

TEST_F(Server, AnswersAnUnknownVersionBeforeClosing) {
  Start();
  TestClient client(address());
  client.Send(std::string_view("\x10\x0C\x00\x04MQTT\x09\x02\x00\x00\x00\x00", 14));
  const std::optional<mqtt::Frame> connack = client.Receive();
  ASSERT_TRUE(connack);
  EXPECT_EQ(connack->body, std::string_view("\x00\x01", 2));
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_EQ(Total(Stat::kRefusedProtocolVersion), 1);
}

TEST_F(Server, SurvivesClientsThatComeAndGoWhileOthersPublish) {
  Start();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([this, i, &stop] {
      for (int round = 0; round < 60; ++round) {
        TestClient client(address());
        client.Connect("twin" + std::to_string(round % 4), round % 2 == 0);
        client.Subscribe(i % 2 == 0 ? "storm/#" : "storm/+/x", Qos::k1);
        client.Publish("storm/1/x", "from a guest", Qos::k0, true);
      }
      if (i == 0) stop = true;
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([this, i, &stop] {
      TestClient publisher(address());
      ASSERT_EQ(publisher.Connect("publisher" + std::to_string(i)), 0);
      while (!stop) publisher.Publish("storm/1/x", "payload", Qos::k1);
      publisher.Ping();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 4; ++i) {
    TestClient last(address());
    EXPECT_EQ(last.Connect("twin" + std::to_string(i), true), 0);
  }
  EXPECT_TRUE(Reaches(Stat::kConnections, 0));
  EXPECT_TRUE(Reaches(Stat::kSubscriptions, 0));
  EXPECT_TRUE(Reaches(Stat::kSessionsOffline, 0));
  EXPECT_TRUE(Reaches(Stat::kQueuePackets, 0));
  EXPECT_TRUE(Reaches(Stat::kInflightOut, 0));
}

TEST_F(Server, SaysThatItStopsAndHandsOutWhatIsOwed) {
  Start();
  TestClient subscriber(address());
  ASSERT_EQ(subscriber.Connect("subscriber"), 0);
  ASSERT_EQ(subscriber.Subscribe("t", Qos::k1), 1);
  TestClient publisher(address());
  ASSERT_EQ(publisher.Connect("publisher"), 0);
  for (int i = 0; i < 50; ++i) publisher.Publish("t", std::to_string(i), Qos::k1);
  app_->Stop();
  EXPECT_TRUE(telemetry::ReadStats(folder_ / "stats")->stopping);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(subscriber.NextMessage(), "t=" + std::to_string(i));
  EXPECT_TRUE(subscriber.WaitClosed());
  EXPECT_EQ(Total(Stat::kClosedServerStopping), 2);
}

TEST_F(Server, NamesWhoHoldsItsPortOrItsFolder) {
  Start();
  Config config;
  config.listen = {{.address = address()}};
  config.data_dir = folder_ / "other";
  config.name = "other";
  config.stats_file = folder_ / "other.stats";
  Result<std::unique_ptr<App>> second = App::Create(config);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_NE(second.error().message.find("in use by cloud_server_te"), std::string::npos)
      << second.error().message;
  config.listen = {{.address = {"127.0.0.1", 0}}};
  config.data_dir = folder_ / "data";
  second = App::Create(config);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("(pid " + std::to_string(getpid()) + ")"),
            std::string::npos)
      << second.error().message;
}

TEST_F(Server, BeatsInEveryLoopWhileNothingHappens) {
  Start();
  const auto beats = [this] {
    std::vector<std::uint64_t> counts;
    const Result<telemetry::StatsSnapshot> snapshot = telemetry::ReadStats(folder_ / "stats");
    for (const auto& loop : snapshot->loops) {
      counts.push_back(loop.heartbeats);
    }
    return counts;
  };
  const std::vector<std::uint64_t> before = beats();
  EXPECT_TRUE(Eventually([&] {
    const std::vector<std::uint64_t> now = beats();
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (now[i] < before[i] + 3) return false;
    }
    return true;
  }));
}

TEST(Config, NamesEachFaultWithItsPlace) {
  const std::string path = testing::TempDir() + "cloud_server_bad.toml";
  std::ofstream(path) << "[limits]\nmax_connectons = 5\nin_flight = 70000\nmax_packet_bytes = 3\n";
  const Result<FileConfig> config = LoadFileConfig(path);
  ASSERT_FALSE(config);
  for (const char* part :
       {"cloud_server_bad.toml:2:", "did you mean \"max_connections\"", ":3:", ":4:"}) {
    EXPECT_NE(config.error().message.find(part), std::string::npos) << config.error().message;
  }
}

TEST(Config, ReadsLimits) {
  const std::string path = testing::TempDir() + "cloud_server_good.toml";
  std::ofstream(path) << "[limits]\nmax_connections = 5\nsession_queue_bytes = \"2MiB\"\n"
                         "connect_timeout = \"3s\"\n";
  const Result<FileConfig> config = LoadFileConfig(path);
  ASSERT_TRUE(config) << config.error().message;
  const Limits* const limits = &config->limits;
  EXPECT_EQ(limits->max_connections, 5u);
  EXPECT_EQ(limits->session_queue_bytes, 2u << 20);
  EXPECT_EQ(limits->connect_timeout, std::chrono::seconds(3));
  EXPECT_EQ(limits->in_flight, Limits().in_flight);
}

}  // namespace
}  // namespace atalaya::cloud_server
