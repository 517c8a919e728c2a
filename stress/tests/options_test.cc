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
  EXPECT_EQ(options->scenario.clients, 50);
  EXPECT_EQ(options->scenario.rate_per_s, 2000);
  EXPECT_EQ(options->scenario.duration, std::chrono::seconds(90));
  EXPECT_EQ(options->scenario.target.ToString(), "[::1]:1884");
  EXPECT_EQ(options->scenario.payload_bytes, 128);
  EXPECT_EQ(options->scenario.qos, 1);
  EXPECT_EQ(options->server.server_pid, 42);
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
      {{"run", "fanout"}, "unknown scenario \"fanout\""},
      {{"run", "p2p", "--clients", "0"}, "--clients: 0 is out of range (write 1 to 20000)"},
      {{"run", "p2p", "--clients", "20001"}, "out of range"},
      {{"run", "p2p", "--rate", "0"}, "--rate: 0 is out of range"},
      {{"run", "p2p", "--rate", "nan"}, "--rate"},
      {{"run", "p2p", "--rate", "9e9"}, "--rate"},
      {{"run", "p2p", "--duration", "5x"}, "\"5x\" is not a duration"},
      {{"run", "p2p", "--duration", "2h"}, "write 100ms to 1h"},
      {{"run", "p2p", "--duration", "1h", "--rate", "1e6"}, "messages in all"},
      {{"run", "p2p", "--payload-bytes", "31"}, "--payload-bytes: 31 is out of range"},
      {{"run", "p2p", "--qos", "2"}, "--qos: 2 is out of range (write 0 to 1)"},
      {{"run", "p2p", "--target", "127.0.0.1:1883"}, "write mqtt://HOST:PORT"},
      {{"run", "p2p", "--target", "mqtt://127.0.0.1"}, "write mqtt://HOST:PORT"},
      {{"run", "p2p", "--report", "/nonexistent/r.html"}, "--report: cannot write"},
      {{"run", "p2p", "--raet", "3"}, "did you mean \"--rate\"?"}};
  for (const auto& [words, message] : kCases) {
    const Result<Options> options = Parse(words);
    ASSERT_FALSE(options.has_value()) << message;
    EXPECT_THAT(options.error().message, HasSubstr(message));
  }
}

}  // namespace
}  // namespace atalaya::stress
