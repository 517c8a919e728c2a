#include "cloud_server/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace atalaya::cloud_server {
namespace {

using mqtt::Reason;
using testing::HasSubstr;

AccessConfig Read(const std::string& text) {
  Result<ConfigFile> file = ConfigFile::Parse(text, "server.toml");
  EXPECT_TRUE(file) << file.error().message;
  ConfigTable root = file->Root();
  AccessConfig config = AccessConfig::Read(&root);
  const Status good = file->Finish();
  EXPECT_TRUE(good) << good.error().message;
  return config;
}

std::shared_ptr<const Access> Make(const std::string& text = "") {
  Result<std::shared_ptr<const Access>> access = Access::Load(Read(text));
  EXPECT_TRUE(access) << access.error().message;
  return *access;
}

Reason Publish(const Access& access, const Who& who, const char* topic, bool retain = false) {
  const bool looked_at = access.has_acl() || IsOwnTopic(topic);
  const Verdict verdict = access.MayPublish(who, topic, retain);
  EXPECT_TRUE(looked_at || verdict.allowed()) << topic;
  EXPECT_EQ(verdict.allowed(), verdict.why[0] == '\0') << topic;
  return verdict.reason;
}

TEST(Access, LetsAClientWriteItsOwnTelemetryOnly) {
  const auto access = Make();
  const Who pump{"", "pump/7"};
  EXPECT_EQ(Publish(*access, pump, "telemetry/pump%2F7/heat"), Reason::kSuccess);
  EXPECT_EQ(Publish(*access, pump, "telemetry/pump%2F7"), Reason::kSuccess);
  EXPECT_EQ(Publish(*access, pump, "telemetry/pump/7"), Reason::kNotAuthorized);
  EXPECT_EQ(Publish(*access, pump, "telemetry/other/heat"), Reason::kNotAuthorized);
  EXPECT_EQ(Publish(*access, pump, "telemetry"), Reason::kNotAuthorized);
  EXPECT_EQ(Publish(*access, pump, "telemetry/"), Reason::kNotAuthorized);
  EXPECT_EQ(Publish(*access, pump, "telemetryx/other"), Reason::kSuccess);
  EXPECT_EQ(Publish(*access, pump, "any/thing"), Reason::kSuccess);
  EXPECT_EQ(Publish(*access, {"", "sensor:1"}, "telemetry/sensor:1/t"), Reason::kSuccess);
}

TEST(Access, LetsOthersTelemetryBeWrittenWhereARuleNamesIt) {
  const auto access = Make(R"(
    [[acl]]
    user = "gateway"
    write = ["telemetry/#"]
    [[acl]]
    write = ["#"]
  )");
  EXPECT_EQ(Publish(*access, {"gateway", "g"}, "telemetry/pump/t"), Reason::kSuccess);
  EXPECT_EQ(Publish(*access, {"ann", "g"}, "telemetry/pump/t"), Reason::kNotAuthorized);
  EXPECT_EQ(Publish(*access, {"ann", "g"}, "telemetry/g/t"), Reason::kSuccess);
}

TEST(Access, KeepsTheServersTopicsForItself) {
  for (const auto& access : {Make(), Make("[[acl]]\nwrite = ['#', 'presence/#', '$SYS/#']")}) {
    EXPECT_EQ(Publish(*access, {"", "c"}, "presence/c"), Reason::kNotAuthorized);
    EXPECT_EQ(Publish(*access, {"", "c"}, "presence"), Reason::kNotAuthorized);
    EXPECT_EQ(Publish(*access, {"", "c"}, "$SYS/broker/uptime"), Reason::kNotAuthorized);
    EXPECT_EQ(Publish(*access, {"", "c"}, "presences"), Reason::kSuccess);
  }
  EXPECT_EQ(Publish(*Make(), {"", "c"}, "$SYSTEM/x"), Reason::kSuccess);
}

TEST(Access, SendsToAClientInOnesOwnNameOnly) {
  const auto access = Make();
  const Who ann{"", "ann/1"};
  EXPECT_EQ(Publish(*access, ann, "to/bob/ann%2F1"), Reason::kSuccess);
  EXPECT_EQ(Publish(*access, ann, "to/bob/eve"), Reason::kNotAuthorized);
  EXPECT_EQ(Publish(*access, ann, "to/bob/ann%2F1", true), Reason::kNotAuthorized);
  for (const char* topic : {"to", "to/", "to/bob", "to//ann%2F1", "to/bob/", "to/bob/ann%2f1",
                            "to/bob/ann%2F1/x", "to/b%6Fb/ann%2F1", "to/b:b/ann%2F1"}) {
    EXPECT_EQ(Publish(*access, ann, topic), Reason::kTopicNameInvalid) << topic;
  }
  EXPECT_EQ(Publish(*access, ann, "tomorrow/x"), Reason::kSuccess);
}

TEST(Access, LetsAClientListenToItsOwnInboxOnly) {
  const auto access = Make();
  const Who ann{"", "ann/1"};
  EXPECT_TRUE(access->MaySubscribe(ann, "to/ann%2F1/+").allowed());
  EXPECT_TRUE(access->MaySubscribe(ann, "to/ann%2F1/#").allowed());
  EXPECT_TRUE(access->MaySubscribe(ann, "to/ann%2F1/bob").allowed());
  EXPECT_TRUE(access->MaySubscribe(ann, "#").allowed());  // It matches nothing there.
  for (const char* filter : {"to/#", "to/+/+", "to/bob/+", "to", "to/+", "to/ann/1",
                             "$share/g/to/ann%2F1/+", "$share/g/to/#"}) {
    EXPECT_EQ(access->MaySubscribe(ann, filter).reason, Reason::kNotAuthorized) << filter;
  }
  EXPECT_EQ(access->MaySubscribe(ann, "to/ann%2f1/+").reason, Reason::kTopicFilterInvalid);
  EXPECT_EQ(access->MaySubscribe(ann, "to/ann%2F1").reason, Reason::kTopicFilterInvalid);
  EXPECT_FALSE(access->MaySubscribe({"", "+"}, "to/+/+").allowed());
}

TEST(Access, AsksTheRulesAboutWhatASharedSubscriptionMatches) {
  const auto access = Make("[[acl]]\nread = ['jobs/#']");
  EXPECT_TRUE(access->MaySubscribe({"", "c"}, "$share/g/jobs/+").allowed());
  EXPECT_FALSE(access->MaySubscribe({"", "c"}, "$share/g/other").allowed());
}

TEST(Access, LetsAnonymousClientsInFromLoopbackUnlessToldOtherwise) {
  EXPECT_TRUE(Make()->MayBeAnonymous(true));
  EXPECT_FALSE(Make()->MayBeAnonymous(false));
  EXPECT_FALSE(Make("[access]\nanonymous = 'nowhere'")->MayBeAnonymous(true));
  EXPECT_TRUE(Make("[access]\nanonymous = 'everywhere'")->MayBeAnonymous(false));
}

TEST(Access, ListensBeyondLoopbackOnlyWhereItIsMeantAndGuarded) {
  const AccessConfig open;
  AccessConfig guarded;
  guarded.password_file = "passwords";
  for (const char* host : {"127.0.0.1", "::1", "localhost"}) {
    EXPECT_TRUE(CheckListener({host, false, false}, open));
  }
  for (const char* host : {"0.0.0.0", "", "::", "192.0.2.1"}) {
    EXPECT_THAT(CheckListener({host, false, false}, guarded).error().message,
                HasSubstr("allow_remote"));
    EXPECT_THAT(CheckListener({host, true, false}, open).error().message,
                HasSubstr("password_file"));
    EXPECT_TRUE(CheckListener({host, true, false}, guarded));
    EXPECT_TRUE(CheckListener({host, true, true}, open));
  }
}

TEST(Access, NamesAPasswordFileThatCannotBeUsed) {
  const Result<std::shared_ptr<const Access>> access =
      Access::Load(Read("[access]\npassword_file = '/nowhere/passwords'"));
  ASSERT_FALSE(access);
  EXPECT_THAT(access.error().message,
              HasSubstr("server.toml:2:17: password_file: /nowhere/passwords: cannot open"));
}

}  // namespace
}  // namespace atalaya::cloud_server
