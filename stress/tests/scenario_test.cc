#include "stress/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stress/presets.h"
#include "stress/scenario_file.h"

namespace atalaya::stress {
namespace {

using testing::HasSubstr;

Result<Scenario> Parse(const std::string& text) {
  Result<Scenario> scenario = ParseScenario(text, "test.toml");
  if (!scenario) return scenario;
  if (Status good = CheckScenario(*scenario); !good) return Forward(good.error());
  return scenario;
}

TEST(Presets, AreScenariosThatCanRun) {
  std::vector<std::string> names = PresetNames();
  names.insert(names.end(),
               {"conn-tcp-10k-100", "p2p-1K-1K-1K-1K", "p2p-50K-50K-50K-50K", "fanout-1-1k-1-1K",
                "fanout-5-1000-5-250K", "sharedsub-1K-5-1K-1K", "sharedsub-50K-500-50K-50K"});
  for (const std::string& name : names) {
    const Result<std::string> text = PresetText(name);
    ASSERT_TRUE(text.has_value()) << name;
    const Result<Scenario> scenario = Parse(*text);
    ASSERT_TRUE(scenario.has_value()) << name << ": " << scenario.error().message;
    EXPECT_EQ(scenario->name, name);
  }
}

TEST(Presets, ReadSizesFromTheSuitesNames) {
  const Scenario fanout = *Parse(*PresetText("fanout-5-1000-5-250K"));
  EXPECT_EQ(fanout.flows[0].publishers, 5);
  EXPECT_EQ(fanout.flows[0].subscribers, 1000);
  EXPECT_EQ(fanout.flows[0].rate_per_s, 250);  // Each message makes 1,000 deliveries.
  EXPECT_EQ(fanout.flows[0].copies(), 1000);
  const Scenario shared = *Parse(*PresetText("sharedsub-1K-5-1K-1K"));
  EXPECT_EQ(shared.flows[0].rate_per_s, 1000);
  EXPECT_EQ(shared.version, mqtt::Version::k5);
  const Scenario connections = *Parse(*PresetText("conn-tcp-10k-100"));
  EXPECT_EQ(connections.connections(), 10'000);
  EXPECT_EQ(connections.connect_rate_per_s, 100);
  for (const char* const name : {"p2p-1K-1K-1K", "conn-tcp-10k", "fanout-1-x-1-1", "conn-tcp-0-1",
                                 "p2p-1K-1K-1K-1K-1K", "rampp"}) {
    EXPECT_FALSE(PresetText(name).has_value()) << name;
  }
}

TEST(ScenarioFile, ReadsFlowsPhasesAndFaults) {
  const Result<Scenario> scenario = Parse(R"(
name = "mix"
version = "5"
arrivals = "poisson"
reconnect_after = "200ms"
assert = ["p99<10ms,loss=0"]
[[flow]]
name = "telemetry"
publishers = 100
subscribers = 2
subscribe = "all"
rate = 500
qos = 1
[[flow]]
name = "commands"
publishers = 1
subscribers = 50
rate = 2
persistent = true
payload_bytes = 256
[[phase]]
name = "up"
duration = "2s"
load = 0
load_to = 1
[[phase]]
name = "steady"
duration = "3s"
assert = ["max<1s"]
[[fault]]
kind = "kill"
at = "3s"
for = "1s"
alert = "ServerDown"
)");
  ASSERT_TRUE(scenario.has_value()) << scenario.error().message;
  EXPECT_EQ(scenario->arrivals, Arrivals::kPoisson);
  EXPECT_EQ(scenario->connections(), 153);
  EXPECT_EQ(scenario->rate_per_s(), 502);
  EXPECT_EQ(scenario->qos(), 1);
  EXPECT_EQ(scenario->duration(), std::chrono::seconds(5));
  EXPECT_EQ(scenario->objectives.size(), 2u);
  EXPECT_EQ(scenario->phases[1].objectives.size(), 1u);
  EXPECT_TRUE(scenario->HasProcessFaults());
  EXPECT_EQ(scenario->faults[0].alert, "ServerDown");
}

TEST(ScenarioFile, NamesEveryFaultWithItsPlace) {
  const Result<Scenario> scenario = ParseScenario(
      "arivals = \"poisson\"\nassert = [\"p99<10\"]\n[[flow]]\nqos = 3\n", "test.toml");
  ASSERT_FALSE(scenario.has_value());
  EXPECT_THAT(scenario.error().message, HasSubstr("test.toml:1:1"));
  EXPECT_THAT(scenario.error().message, HasSubstr("arrivals"));
  EXPECT_THAT(scenario.error().message, HasSubstr("a time as 10ms"));
  EXPECT_THAT(scenario.error().message, HasSubstr("qos"));
}

TEST(Scenario, RefusesWhatHasNoMeaningOrNoBound) {
  const std::string flow = "[[flow]]\npublishers = 2\nsubscribers = 2\nrate = 10\n";
  const std::pair<std::string, const char*> kCases[] = {
      {"", "1 to 16 flows"},
      {"[[flow]]\nrate = 5\n", "nobody in it"},
      {"[[flow]]\nidle = 200001\n", "out of range"},
      {"[[flow]]\npublishers = 1\nrate = 3e6\n", "messages per second"},
      {flow + "[[phase]]\nload = 101\n", "load 101 is out of range"},
      {flow + "[[phase]]\nduration = \"10ms\"\n", "too short"},
      {flow + "[[phase]]\nduration = \"25h\"\n", "at most 1d"},
      {flow + "persistent = true\n", "needs version \"5\""},
      {flow + "[[fault]]\nat = \"9500ms\"\n", "does not end within the run"},
      {"arrivals = \"closed\"\n[[flow]]\npublishers = 2\nsubscribers = 1\n", "closed arrivals"},
      {"topic_prefix = \"a/#\"\n" + flow, "no start of a topic"},
      {"[[flow]]\npublishers = 1\nsubscribers = 1000\nsubscribe = \"all\"\nrate = 100000\n",
       "deliveries in all"}};
  for (const auto& [text, words] : kCases) {
    const Result<Scenario> scenario = Parse(text);
    ASSERT_FALSE(scenario.has_value()) << text;
    EXPECT_THAT(scenario.error().message, HasSubstr(words));
  }
}

}  // namespace
}  // namespace atalaya::stress
