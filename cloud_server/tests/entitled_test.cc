// Who may do what, asked of a whole server: passwords, rules, packets for one client, presence.

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "cloud_server/tests/server_bench.h"

namespace atalaya::cloud_server {
namespace {

using mqtt::Qos;
using mqtt::Reason;
using mqtt::Version;
using telemetry::Stat;
using testing::HasSubstr;

class Entitled : public ServerBench {
 protected:
  std::string PasswordPath() const { return folder_ / "passwords"; }
  void WritePasswords(const std::vector<std::pair<std::string, std::string>>& users) {
    PasswordFile file;
    for (const auto& [user, password] : users) ASSERT_TRUE(file.Set(user, password));
    ASSERT_TRUE(file.Save(PasswordPath()));
  }
  std::string WithPasswords(const std::string& more = "") const {
    return "[access]\nanonymous = 'nowhere'\npassword_file = '" + PasswordPath() + "'\n" + more;
  }
  static mqtt::Connect As(std::string_view id, std::string_view user, std::string_view password,
                          Version version = Version::k311) {
    mqtt::Connect packet;
    packet.version = version;
    packet.client_id = id;
    packet.username = user;
    packet.password = password;
    return packet;
  }
};

// The answer of a 5.0 server to one publish at QoS 1 or 2.
Reason PublishV5(TestClient* client, std::string_view topic, Qos qos = Qos::k1,
                 bool retain = false) {
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = "x";
  packet.qos = qos;
  packet.packet_id = 77;
  packet.retain = retain;
  std::string bytes;
  mqtt::EncodePublish(packet, Version::k5, &bytes);
  client->Send(bytes);
  const std::optional<mqtt::Frame> frame = client->Receive();
  if (!frame) return Reason::kUnspecified;
  const mqtt::Decoded<mqtt::Ack> ack = mqtt::DecodeAck(*frame, Version::k5);
  EXPECT_TRUE(ack);
  return ack ? ack->reason : Reason::kUnspecified;
}

int ConnectV5(TestClient* client, std::string_view id) {
  mqtt::Connect packet;
  packet.version = Version::k5;
  packet.client_id = id;
  return client->Connect(packet);
}

TEST_F(Entitled, LetsInWhoHasThePasswordAndCountsTheOthers) {
  WritePasswords({{"ann", "secret"}});
  StartWith(WithPasswords());
  TestClient good(address());
  EXPECT_EQ(good.Connect(As("a", "ann", "secret")), 0);
  good.Ping();
  TestClient again(address());
  EXPECT_EQ(again.Connect(As("a2", "ann", "secret", Version::k5)), 0);
  TestClient wrong(address());
  EXPECT_EQ(wrong.Connect(As("b", "ann", "other")), 4);
  EXPECT_TRUE(wrong.WaitClosed());
  TestClient unknown(address());
  EXPECT_EQ(unknown.Connect(As("c", "eve", "secret", Version::k5)), 0x86);
  TestClient nobody(address());
  EXPECT_EQ(nobody.Connect("d"), 5);
  EXPECT_TRUE(Reaches(Stat::kRefusedBadCredentials, 2));
  EXPECT_TRUE(Reaches(Stat::kRefusedNotAuthorized, 1));
  EXPECT_TRUE(Reaches(Stat::kReceivedConnect, 5));
}

TEST_F(Entitled, ManyLoginsAtOnceAllSucceedAndTheLoopsServeOnMeanwhile) {
  WritePasswords({{"ann", "secret"}});
  StartWith(WithPasswords());
  TestClient bystander(address());
  ASSERT_EQ(bystander.Connect(As("by", "ann", "secret")), 0);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        TestClient client(address());
        good += client.Connect(As(fmt::format("c{}-{}", t, i), "ann", "secret")) == 0 ? 1 : 0;
      }
    });
  }
  for (int i = 0; i < 20; ++i) bystander.Ping();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 400);
}

TEST_F(Entitled, AClientThatLeavesBeforeItsPasswordIsLookedUpHarmsNobody) {
  WritePasswords({{"ann", "secret"}});
  StartWith(WithPasswords());
  for (int i = 0; i < 20; ++i) {
    TestClient hasty(address());
    std::string bytes;
    // The right one: a wrong one counts also of a client that has left, and would slow the last.
    mqtt::EncodeConnect(As("hasty", "ann", "secret"), &bytes);
    hasty.Send(bytes);
  }
  EXPECT_TRUE(Reaches(Stat::kConnections, 0));
  TestClient good(address());
  EXPECT_EQ(good.Connect(As("good", "ann", "secret")), 0);
}

TEST_F(Entitled, WrongPasswordsAreSlowedAndThoseKnownAreNot) {
  WritePasswords({{"ann", "secret"}, {"bob", "other"}});
  StartWith(WithPasswords());
  TestClient first(address());
  ASSERT_EQ(first.Connect(As("first", "ann", "secret")), 0);
  for (std::uint32_t i = 0; i <= kFreeLoginFailures + 1; ++i) {
    TestClient wrong(address());
    EXPECT_EQ(wrong.Connect(As("w", "ann", "guess")), 4);
  }
  TestClient known(address());
  EXPECT_EQ(known.Connect(As("known", "ann", "secret")), 0);
  // More than may wait for their turn are refused unseen.
  std::vector<std::unique_ptr<TestClient>> crowd;
  for (int i = 0; i < 40; ++i) {
    crowd.push_back(std::make_unique<TestClient>(address()));
    std::string bytes;
    mqtt::EncodeConnect(As("crowd" + std::to_string(i), "ann", "guess"), &bytes);
    crowd.back()->Send(bytes);
  }
  EXPECT_TRUE(Eventually([&] { return Total(Stat::kRefusedLoginRate) > 0; }));
}

TEST_F(Entitled, ASessionBelongsToItsUser) {
  WritePasswords({{"ann", "secret"}, {"bob", "other"}});
  StartWith(WithPasswords());
  {
    mqtt::Connect packet = As("box", "ann", "secret");
    packet.clean_start = false;
    TestClient ann(address());
    ASSERT_EQ(ann.Connect(packet), 0);
    ASSERT_EQ(ann.Subscribe("mail", Qos::k1), 1);
    TestClient bob(address());
    EXPECT_EQ(bob.Connect(As("box", "bob", "other")), 5);
    ann.Ping();
  }
  ASSERT_TRUE(Reaches(Stat::kSessionsOffline, 1));
  TestClient bob(address());
  EXPECT_EQ(bob.Connect(As("box", "bob", "other", Version::k5)), 0x87);
}

TEST_F(Entitled, RefusesWhatTheRulesDoNotAllow) {
  StartWith("[[acl]]\nread = ['open/#']\nwrite = ['open/#']\n");
  TestClient old(address());
  ASSERT_EQ(old.Connect("old"), 0);
  EXPECT_EQ(old.Subscribe("closed/#"), 0x80);
  EXPECT_EQ(old.Subscribe("#"), 0x80);
  EXPECT_EQ(old.Subscribe("open/#"), 0);
  TestClient client(address());
  ASSERT_EQ(ConnectV5(&client, "new"), 0);
  EXPECT_EQ(PublishV5(&client, "closed/x"), Reason::kNotAuthorized);
  EXPECT_EQ(PublishV5(&client, "closed/x", Qos::k2), Reason::kNotAuthorized);
  EXPECT_EQ(PublishV5(&client, "open/a"), Reason::kSuccess);
  EXPECT_EQ(old.NextMessage(), "open/a=x");
  // 3.1.1 has no word for it: acknowledged, dropped and counted.
  old.Publish("closed/x", "1", Qos::k1);
  for (int i = 0; i < 3; ++i) old.Publish("closed/x", "0");
  old.Publish("open/b", "2");
  EXPECT_EQ(old.NextMessage(), "open/b=2");
  EXPECT_TRUE(Reaches(Stat::kPublishRefusedNotAuthorized, 6));
  EXPECT_TRUE(Reaches(Stat::kSubscribeRefusedNotAuthorized, 2));
}

TEST_F(Entitled, RefusesAWillThatItsClientMayNotPublish) {
  Start();
  mqtt::Connect packet;
  packet.client_id = "c";
  packet.will.emplace();
  packet.will->topic = "telemetry/other/x";
  TestClient client(address());
  EXPECT_EQ(client.Connect(packet), 5);
  packet.will->topic = "telemetry/c/x";
  TestClient own(address());
  EXPECT_EQ(own.Connect(packet), 0);
}

TEST_F(Entitled, AReloadEndsWhatIsNoLongerAllowedAndNothingElse) {
  WritePasswords({{"ann", "secret"}, {"bob", "other"}, {"eve", "third"}});
  StartWith(WithPasswords("[[acl]]\nread = ['a/#', 'b/#']\nwrite = ['a/#', 'b/#']\n"));
  TestClient ann(address());
  TestClient bob(address());
  TestClient eve(address());
  ASSERT_EQ(ann.Connect(As("ann", "ann", "secret")), 0);
  ASSERT_EQ(bob.Connect(As("bob", "bob", "other")), 0);
  ASSERT_EQ(eve.Connect(As("eve", "eve", "third")), 0);
  ASSERT_EQ(ann.Subscribe("a/#"), 0);
  ASSERT_EQ(ann.Subscribe("b/#"), 0);
  ann.Publish("b/1", "x");
  ASSERT_EQ(ann.NextMessage(), "b/1=x");

  PasswordFile file = *PasswordFile::Load(PasswordPath());
  ASSERT_TRUE(file.Set("bob", "changed"));
  file.Remove("eve");
  ASSERT_TRUE(file.Save(PasswordPath()));
  ASSERT_TRUE(Reload(WithPasswords("[[acl]]\nread = ['a/#']\nwrite = ['a/#', 'b/#']\n")));
  EXPECT_TRUE(bob.WaitClosed());
  EXPECT_TRUE(eve.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kClosedNotAuthorized, 2));
  EXPECT_TRUE(Reaches(Stat::kSubscriptionsEndedNotAuthorized, 1));
  ann.Publish("b/2", "gone");
  ann.Publish("a/2", "here");
  EXPECT_EQ(ann.NextMessage(), "a/2=here");
}

TEST_F(Entitled, AReloadWithAFaultChangesNothing) {
  WritePasswords({{"ann", "secret"}});
  StartWith(WithPasswords());
  TestClient ann(address());
  ASSERT_EQ(ann.Connect(As("ann", "ann", "secret")), 0);
  EXPECT_THAT(Reload("[[acl]]\nread = ['a/#/b']\n").error().message, HasSubstr("server.toml:2:8"));
  ASSERT_EQ(chmod(PasswordPath().c_str(), 0644), 0);
  EXPECT_THAT(Reload(WithPasswords()).error().message, HasSubstr(PasswordPath()));
  ann.Ping();
  TestClient again(address());
  EXPECT_EQ(again.Connect(As("again", "ann", "secret")), 0);
}

TEST_F(Entitled, ReloadsUnderLoadDropNobody) {
  WritePasswords({{"ann", "secret"}});
  const std::string toml = WithPasswords("[[acl]]\nread = ['#']\nwrite = ['#']\n");
  StartWith(toml);
  constexpr int kMessages = 2'000;
  TestClient subscriber(address());
  ASSERT_EQ(subscriber.Connect(As("s", "ann", "secret")), 0);
  ASSERT_EQ(subscriber.Subscribe("load", Qos::k1), 1);
  std::thread publisher([&] {
    TestClient client(address());
    EXPECT_EQ(client.Connect(As("p", "ann", "secret")), 0);
    for (int i = 0; i < kMessages; ++i) client.Publish("load", std::to_string(i), Qos::k1);
  });
  std::atomic<bool> done{false};
  std::thread reloader([&] {
    while (!done) EXPECT_TRUE(Reload(toml));
  });
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_EQ(subscriber.NextMessage(), "load=" + std::to_string(i));
  }
  publisher.join();
  done = true;
  reloader.join();
  EXPECT_EQ(Total(Stat::kClosedNotAuthorized), 0);
}

TEST_F(Entitled, APacketForOneClientReachesItAndNobodyElse) {
  Start();
  TestClient bob(address());
  TestClient spy(address());
  TestClient ann(address());
  ASSERT_EQ(bob.Connect("bob/1"), 0);
  ASSERT_EQ(spy.Connect("spy"), 0);
  ASSERT_EQ(ConnectV5(&ann, "ann"), 0);
  ASSERT_EQ(bob.Subscribe("to/bob%2F1/#", Qos::k1), 1);
  for (const char* filter : {"#", "+/#", "+/+/+", "+/bob%2F1/ann"}) {
    ASSERT_EQ(spy.Subscribe(filter), 0) << filter;
  }
  for (const char* filter : {"to/#", "to/bob%2F1/+", "to/+/+", "$share/g/to/bob%2F1/+"}) {
    EXPECT_EQ(spy.Subscribe(filter), 0x80) << filter;
  }
  EXPECT_EQ(PublishV5(&ann, "to/bob%2F1/ann"), Reason::kSuccess);
  EXPECT_EQ(PublishV5(&ann, "to/bob%2F1/spy"), Reason::kNotAuthorized);
  EXPECT_EQ(PublishV5(&ann, "to/bob%2F1/ann", Qos::k1, true), Reason::kNotAuthorized);
  EXPECT_EQ(PublishV5(&ann, "to/nobody/ann"), Reason::kNoMatchingSubscribers);
  EXPECT_EQ(PublishV5(&ann, "to/bob/1/ann"), Reason::kTopicNameInvalid);
  EXPECT_EQ(bob.NextMessage(), "to/bob%2F1/ann=x");
  spy.Publish("last", "1");
  EXPECT_EQ(spy.NextMessage(), "last=1");
}

TEST_F(Entitled, APacketForAClientThatIsAwayWaitsForIt) {
  Start();
  {
    TestClient bob(address());
    ASSERT_EQ(bob.Connect("bob", false), 0);
    ASSERT_EQ(bob.Subscribe("to/bob/+", Qos::k1), 1);
  }
  ASSERT_TRUE(Reaches(Stat::kSessionsOffline, 1));
  TestClient ann(address());
  ASSERT_EQ(ConnectV5(&ann, "ann"), 0);
  EXPECT_EQ(PublishV5(&ann, "to/bob/ann"), Reason::kSuccess);
  TestClient bob(address());
  ASSERT_EQ(bob.Connect("bob", false), 0);
  EXPECT_EQ(bob.NextMessage(), "to/bob/ann=x");
}

TEST_F(Entitled, PresenceIsToldToANewSubscriberAndOnEachChange) {
  Start();
  auto here = std::make_unique<TestClient>(address());
  ASSERT_EQ(here->Connect("he/re"), 0);
  {
    TestClient away(address());
    ASSERT_EQ(away.Connect("away", false), 0);
  }
  ASSERT_TRUE(Reaches(Stat::kSessionsOffline, 1));
  TestClient watcher(address());
  ASSERT_EQ(watcher.Connect("watcher"), 0);
  ASSERT_EQ(watcher.Subscribe("presence/+", Qos::k1), 1);
  std::vector<std::string> first;
  for (int i = 0; i < 3; ++i) {
    const std::optional<mqtt::Publish> status = watcher.NextPublish();
    ASSERT_TRUE(status);
    EXPECT_TRUE(status->retain);
    first.push_back(fmt::format("{} {}", status->topic, status->payload));
    watcher.Puback(status->packet_id);
  }
  EXPECT_THAT(first,
              testing::UnorderedElementsAre(
                  testing::MatchesRegex(R"(presence/away \{"status":"offline",.*"peer_gone"\})"),
                  testing::MatchesRegex(R"(presence/he%2Fre \{"status":"online",.*"connect"\})"),
                  HasSubstr("presence/watcher {\"status\":\"online\"")));
  here.reset();
  EXPECT_THAT(watcher.NextMessage(), HasSubstr("presence/he%2Fre={\"status\":\"offline\""));
  TestClient back(address());
  ASSERT_EQ(back.Connect("away", false), 0);
  EXPECT_THAT(watcher.NextMessage(), HasSubstr("presence/away={\"status\":\"online\""));
  TestClient taker(address());
  ASSERT_EQ(taker.Connect("away", false), 0);
  EXPECT_THAT(watcher.NextMessage(), HasSubstr("\"takeover\""));
}

TEST_F(Entitled, PresenceOfOneClientIsAskedOfItsLoopOnly) {
  Start();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<TestClient>(address()));
    ASSERT_EQ(clients.back()->Connect("c" + std::to_string(i)), 0);
  }
  TestClient watcher(address());
  ASSERT_EQ(watcher.Connect("watcher"), 0);
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(watcher.Subscribe("presence/c" + std::to_string(i)), 0);
    EXPECT_THAT(watcher.NextMessage(),
                HasSubstr(fmt::format("presence/c{}={{\"status\":\"online\"", i)));
  }
}

TEST_F(Entitled, PresenceOfThousandsComesWhole) {
  Start();
  constexpr int kClients = 2'500;  // More than are looked at in one turn.
  {
    for (int i = 0; i < kClients; ++i) {
      TestClient client(address());
      ASSERT_EQ(client.Connect("c" + std::to_string(i), false), 0);
    }
  }
  ASSERT_TRUE(Reaches(Stat::kSessionsOffline, kClients));
  TestClient watcher(address());
  ASSERT_EQ(watcher.Connect("watcher"), 0);
  ASSERT_EQ(watcher.Subscribe("presence/#"), 0);
  std::set<std::string> seen;
  while (seen.size() < kClients + 1) {
    const std::string message = watcher.NextMessage();
    ASSERT_NE(message, "closed");
    seen.insert(message.substr(0, message.find('=')));
  }
}

}  // namespace
}  // namespace atalaya::cloud_server
