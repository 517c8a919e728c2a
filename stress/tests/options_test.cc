#include "stress/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::stress {
namespace {

using testing::HasSubstr;

Result<Options> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "cloud_stress");
  return ParseOptions(static_cast<int>(words.size()), words.data());
}

TEST(Options, ReadsAWholeCommand) {
  const Result<Options> options =
      Parse({"run", "p2p", "--clients", "50", "--rate", "2000", "--duration", "1m30s", "--target",
             "mqtt://[::1]:1884", "--payload-bytes", "128", "--qos", "1", "--server-pid", "42"});
  ASSERT_TRUE(options.has_value()) << options.error().message;
  const Flow& flow = options->scenario.flows[0];
  EXPECT_EQ(flow.publishers, 50);
  EXPECT_EQ(flow.subscribers, 50);
  EXPECT_EQ(flow.topics, 50);
  EXPECT_EQ(flow.rate_per_s, 2000);
  EXPECT_EQ(flow.payload_bytes, 128);
  EXPECT_EQ(flow.qos, 1);
  EXPECT_EQ(options->scenario.duration(), std::chrono::seconds(90));
  EXPECT_EQ(options->scenario.target.ToString(), "mqtt://[::1]:1884");
  EXPECT_EQ(options->server_pid, 42);
}

TEST(Options, RefusesAStrangersServerUnlessItIsOwned) {
  const Result<Options> refused = Parse({"run", "p2p", "--target", "mqtt://192.0.2.7:1883"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_THAT(refused.error().message, HasSubstr("--i-own-this-target"));
  EXPECT_TRUE(Parse({"run", "p2p", "--target", "mqtt://192.0.2.7:1883", "--i-own-this-target"})
                  .has_value());
}

TEST(Options, NamesTheFlagAndWhatWouldBeRight) {
  const std::pair<std::vector<const char*>, const char*> kCases[] = {
      {{"rum", "p2p"}, "did you mean \"run\"?"},
      {{"run", "rampp"}, "did you mean \"ramp\"?"},
      {{"run", "/nonexistent.toml"}, "/nonexistent.toml"},
      {{"run", "p2p", "--clients", "0"}, "--clients: 0 is out of range (write 1 to 100000)"},
      {{"run", "conn-tcp-1k-100", "--clients", "5"}, "has no pairs"},
      {{"run", "conn-tcp-1k-100", "--rate", "5"}, "publishes nothing"},
      {{"run", "p2p", "--rate", "0"}, "--rate: 0 is out of range"},
      {{"run", "p2p", "--rate", "nan"}, "--rate"},
      {{"run", "p2p", "--rate", "9e9"}, "--rate"},
      {{"run", "p2p", "--duration", "5x"}, "\"5x\" is not a duration"},
      {{"run", "p2p", "--duration", "25h"}, "write 100ms to 1d"},
      {{"run", "p2p", "--duration", "1h", "--rate", "1e6"}, "deliveries in all"},
      {{"run", "p2p", "--payload-bytes", "31"}, "--payload-bytes: 31 is out of range"},
      {{"run", "p2p", "--qos", "3"}, "--qos: 3 is out of range (write 0 to 2)"},
      {{"run", "p2p", "--target", "127.0.0.1:1883"}, "write mqtt://HOST:PORT"},
      {{"run", "p2p", "--target", "mqtt://127.0.0.1"}, "write mqtt://HOST:PORT"},
      {{"run", "p2p", "--target", "ftp://127.0.0.1:21"}, "write mqtt://HOST:PORT"},
      {{"run", "p2p", "--target", "mqtt://127.0.0.1:1883/x"}, "write mqtt://HOST:PORT"},
      {{"run", "p2p", "--mqtt", "4"}, "write 3.1.1 or 5"},
      {{"run", "p2p", "--arrivals", "poison"}, "did you mean \"poisson\"?"},
      {{"run", "p2p", "--assert", "p99<5"}, "--assert: \"p99<5\""},
      {{"run", "drain", "--mqtt", "3.1.1"}, "persistent needs version"},
      {{"run", "faults"}, "name it with --server-pid"},
      {{"run", "p2p", "--start", "true", "--server-pid", "1"}, "write one of the two"},
      {{"capacity", "--slo", "fast"}, "--slo: \"fast\" is no objective"},
      {{"capacity", "--repetitions", "2"}, "write 3 to 10"},
      {{"capacity", "conn-tcp-1k-100"}, "publishes at a rate"},
      {{"run", "p2p", "--baseline", "/nonexistent.json"}, "--baseline: cannot read"},
      {{"run", "p2p", "--report", "/nonexistent/r.html"}, "--report: cannot write"},
      {{"run", "p2p", "--raet", "3"}, "did you mean \"--rate\"?"}};
  for (const auto& [words, message] : kCases) {
    const Result<Options> options = Parse(words);
    ASSERT_FALSE(options.has_value()) << message;
    EXPECT_THAT(options.error().message, HasSubstr(message));
  }
}

TEST(Options, StretchesPhasesAndFaultsWithTheDuration) {
  const Result<Options> options =
      Parse({"run", "faults", "--duration", "6s", "--server-pid", "42", "--rate", "100"});
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->scenario.duration(), std::chrono::seconds(6));
  EXPECT_EQ(options->scenario.faults[0].at, std::chrono::milliseconds(500));
  EXPECT_EQ(options->scenario.faults[0].lasts, std::chrono::milliseconds(400));
}

TEST(Options, ReadsTargetsOfEveryKind) {
  for (const char* const target : {"mqtt://127.0.0.1:1883", "mqtts://127.0.0.1:8883",
                                   "ws://127.0.0.1:8083/mqtt", "wss://localhost:8084/a/b"}) {
    const Result<Options> options = Parse({"run", "p2p", "--target", target});
    ASSERT_TRUE(options.has_value()) << options.error().message;
    EXPECT_EQ(options->scenario.target.ToString(), target);
  }
}

TEST(Options, ReadsACapacityPlan) {
  const Result<Options> options = Parse({"capacity", "fanout-1-1k-1-1K", "--slo", "p99<20ms,loss=0",
                                         "--probe", "2s", "--max-rate", "5000"});
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->command, CommandWord::kCapacity);
  EXPECT_EQ(options->capacity.objectives.size(), 2u);
  EXPECT_EQ(options->capacity.max_rate_per_s, 5000);
  EXPECT_EQ(options->capacity.repetitions, 3);
}

}  // namespace
}  // namespace atalaya::stress
