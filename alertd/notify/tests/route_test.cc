#include "alertd/notify/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/notify/tests/notify_bench.h"

namespace atalaya::alertd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

std::vector<std::string> KeysOf(const Route& root, std::vector<telemetry::Labels::Pair> labels) {
  std::vector<std::string> keys;
  for (const Route* route : MatchRoutes(root, telemetry::Labels(std::move(labels))))
    keys.push_back(route->key);
  return keys;
}

constexpr char kTree[] = R"(
[route]
receiver = "ops"
group_by = ["a", "b"]
group_wait = "1s"
[[route.routes]]
matchers = ["team=web", 'severity=~"critical|page"']
continue = true
repeat_interval = "1h"
[[route.routes.routes]]
matchers = ["site!=roof"]
group_by = ["..."]
[[route.routes]]
matchers = ["team=~we."]
receivers = ["boss", "ops"]
[[route.routes]]
matchers = ["team=~we."]
)";

std::shared_ptr<Routing> Tree() {
  return MakeRouting({WebhookReceiver("ops"), WebhookReceiver("boss")}, kTree);
}

TEST(Routes, TheFirstChildThatMatchesWinsUnlessItGoesOn) {
  const auto routing = Tree();
  const Route& root = routing->root;
  EXPECT_THAT(KeysOf(root, {{"team", "db"}}), ElementsAre("{}"));
  EXPECT_THAT(KeysOf(root, {{"team", "web"}}), ElementsAre("{}/{team=~\"we.\"}"));
  EXPECT_THAT(KeysOf(root, {{"team", "web"}, {"severity", "page"}, {"site", "roof"}}),
              ElementsAre("{}/{severity=~\"critical|page\",team=\"web\"}", "{}/{team=~\"we.\"}"));
  EXPECT_THAT(KeysOf(root, {{"team", "web"}, {"severity", "page"}}),
              ElementsAre("{}/{severity=~\"critical|page\",team=\"web\"}/{site!=\"roof\"}",
                          "{}/{team=~\"we.\"}"));
}

TEST(Routes, ChildrenHaveFromTheirParentWhatTheyDoNotSay) {
  const auto routing = Tree();
  const Route& child = routing->root.routes[0];
  EXPECT_THAT(child.receivers, ElementsAre("ops"));
  EXPECT_EQ(child.group_wait, 1s);
  EXPECT_EQ(child.repeat_interval, 1h);
  EXPECT_EQ(child.routes[0].repeat_interval, 1h);
  EXPECT_FALSE(child.routes[0].goes_on);
  EXPECT_THAT(child.group_by, ElementsAre("a", "b"));
  EXPECT_THAT(routing->root.routes[1].receivers, ElementsAre("boss", "ops"));
}

TEST(Routes, SiblingsWithTheSameMatchersHaveKeysOfTheirOwn) {
  EXPECT_EQ(Tree()->root.routes[2].key, "{}/{team=~\"we.\"}#2");
}

TEST(Routes, GroupsHaveTheLabelsThatTheyAreGroupedBy) {
  const auto routing = Tree();
  const telemetry::Labels labels({{"b", "1"}, {"c", "2"}});
  const Route& root = routing->root;
  EXPECT_EQ(GroupKey(root, GroupLabels(root, labels)), "{}:{b=\"1\"}");
  EXPECT_EQ(GroupLabels(root.routes[0].routes[0], labels), labels);
}

TEST(Routes, WithoutReceiversEverybodyHears) {
  const auto routing = MakeRouting({WebhookReceiver("ops"), WebhookReceiver("boss")});
  EXPECT_THAT(routing->root.receivers, ElementsAre("ops", "boss"));
  EXPECT_EQ(routing->root.group_wait, 30s);
  EXPECT_EQ(routing->root.group_interval, 5min);
  EXPECT_EQ(routing->root.repeat_interval, 4h);
}

TEST(Matcher, IsReadAsAlertmanagerDoes) {
  const auto parsed = [](std::string_view text) {
    const Result<telemetry::Matcher> matcher = ParseMatcher(text);
    return matcher ? Matchers({*matcher}).ToString() : "";
  };
  EXPECT_EQ(parsed("a=b"), "{a=\"b\"}");
  EXPECT_EQ(parsed(" a =~ \"b c\" "), "{a=~\"b c\"}");
  EXPECT_EQ(parsed("a!=\"\""), "{a!=\"\"}");
  EXPECT_EQ(parsed("a="), "{a=\"\"}");
  EXPECT_EQ(parsed(R"(a!~"\"\\\n")"), R"({a!~"\"\\\n"})");
  EXPECT_EQ(parsed(R"(a=~"\d+")"), R"({a=~"\\d+"})");
  for (const char* bad : {"", "a", "=b", "1a=b", "a==~b\"", "a=~(", "a=\"b", "a=b\"c", "a-b=c"})
    EXPECT_EQ(parsed(bad), "") << bad;
}

TEST(Inhibitions, AnAlertOnBothSidesIsInhibitedByOnesOnOneSideOnly) {
  const auto routing = MakeRouting({}, R"(
[[inhibit_rule]]
source_matchers = ['severity="critical"']
target_matchers = ['alertname=~"Down|Slow"']
equal = ["instance", "absent"]
)");
  const auto with = [](Alert alert, const std::string& severity) {
    alert.labels.Set("severity", severity);
    return alert;
  };
  const std::vector<Alert> firing{
      FiringAlert("Down", "a"),  // Critical: on both sides.
      FiringAlert("Slow", "a"), with(FiringAlert("Slow", "a"), "warning"),
      FiringAlert("Fire", "b"), FiringAlert("Down", "b"),
      FiringAlert("Slow", "c")};
  const Inhibitions inhibitions(routing->inhibit_rules, firing);
  EXPECT_FALSE(inhibitions.InhibitedBy(firing[0].labels));
  EXPECT_FALSE(inhibitions.InhibitedBy(firing[1].labels));
  EXPECT_TRUE(inhibitions.InhibitedBy(firing[2].labels));
  EXPECT_EQ(inhibitions.InhibitedBy(firing[4].labels), firing[3].Fingerprint());
  EXPECT_FALSE(inhibitions.InhibitedBy(firing[5].labels));
}

}  // namespace
}  // namespace atalaya::alertd
