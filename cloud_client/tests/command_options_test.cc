#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "cloud_client/commands.h"

namespace atalaya::cloud_client {
namespace {

using testing::HasSubstr;

template <typename Parser>
auto Parse(Parser parser, std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "command");
  return parser(static_cast<int>(arguments.size()), arguments.data());
}

TEST(ParseServer, TakesAnMqttAddress) {
  EXPECT_EQ(ParseServer("mqtt://127.0.0.1:1884")->ToString(), "127.0.0.1:1884");
  EXPECT_EQ(ParseServer("mqtt://box")->ToString(), "box:1883");
  EXPECT_EQ(ParseServer("mqtt://[::1]/")->ToString(), "[::1]:1883");
  EXPECT_EQ(ParseServer("mqtt://[::1]:99")->ToString(), "[::1]:99");
  for (const char* wrong : {"", "box:1883", "http://box", "mqtt://", "mqtt://:1883", "mqtt://box:0",
                            "mqtt://box:x", "mqtt://a:b:c"}) {
    EXPECT_FALSE(ParseServer(wrong)) << wrong;
  }
}

TEST(ParsePub, TakesMessagesOrAFileOrStdin) {
  const auto messages = Parse(
      ParsePub, {"--topic", "a/b", "--message", "x", "--message", "", "--qos", "1", "--retain"});
  ASSERT_TRUE(messages) << messages.error().message;
  EXPECT_THAT(messages->messages, testing::ElementsAre("x", ""));
  EXPECT_EQ(messages->qos, Qos::kAtLeastOnce);
  EXPECT_TRUE(messages->retain);
  EXPECT_FALSE(messages->from_stdin);
  EXPECT_TRUE(Parse(ParsePub, {"--topic", "a"})->from_stdin);
}

TEST(ParsePub, NamesTheFlagThatIsWrong) {
  const auto error = [](std::vector<const char*> arguments) {
    return Parse(ParsePub, std::move(arguments)).error().message;
  };
  EXPECT_THAT(error({}), HasSubstr("--topic: \"\""));
  EXPECT_THAT(error({"--topic", "a/#"}), HasSubstr("--topic: \"a/#\""));
  EXPECT_THAT(error({"--topic", "a", "--qos", "2"}), HasSubstr("--qos: 2"));
  EXPECT_THAT(error({"--topic", "a", "--server", "box"}), HasSubstr("--server: \"box\""));
  EXPECT_THAT(error({"--topic", "a", "--message", "x", "--file", "y"}), HasSubstr("exclude"));
  EXPECT_THAT(error({"--topic", "a", "--file", "/no/such"}), HasSubstr("--file: /no/such"));
}

TEST(ParseSub, NamesTheFlagThatIsWrong) {
  EXPECT_THAT(Parse(ParseSub, {}).error().message, HasSubstr("--topic: needed"));
  EXPECT_THAT(Parse(ParseSub, {"--topic", "a#"}).error().message, HasSubstr("--topic: \"a#\""));
  EXPECT_THAT(Parse(ParseSub, {"--topic", "a", "--count", "-1"}).error().message,
              HasSubstr("--count: -1"));
}

class AgentFile {
 public:
  explicit AgentFile(const std::string& text) {
    char name[] = "/tmp/atalaya-agent-XXXXXX";
    const UniqueFd fd(mkstemp(name));
    path_ = name;
    std::ofstream(path_) << text;
  }
  ~AgentFile() { std::filesystem::remove(path_); }

  Result<AgentConfig> Load(std::vector<const char*> arguments = {}) {
    arguments.push_back("--config");
    arguments.push_back(path_.c_str());
    const auto options = Parse(ParseAgent, std::move(arguments));
    if (!options) return Forward(options.error());
    return LoadAgentConfig(*options);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(LoadAgentConfig, LetsFlagsOverrideTheFile) {
  AgentFile file(
      "server = \"mqtt://a:1\"\nid = \"x\"\ninterval = \"2s\"\n[intervals]\ndisk = \"1m\"\n");
  const auto from_file = file.Load();
  ASSERT_TRUE(from_file) << from_file.error().message;
  EXPECT_EQ(from_file->server.ToString(), "a:1");
  EXPECT_EQ(from_file->id, "x");
  EXPECT_EQ(from_file->interval, std::chrono::seconds(2));
  EXPECT_EQ(from_file->intervals.at("disk"), std::chrono::minutes(1));
  const auto with_flags = file.Load({"--server", "mqtt://b:2", "--id", "y", "--interval", "500ms"});
  ASSERT_TRUE(with_flags) << with_flags.error().message;
  EXPECT_EQ(with_flags->server.ToString(), "b:2");
  EXPECT_EQ(with_flags->id, "y");
  EXPECT_EQ(with_flags->interval, std::chrono::milliseconds(500));
}

TEST(LoadAgentConfig, NamesEachFaultWithItsPlace) {
  AgentFile file(
      "server = \"box\"\nid = \"a/b\"\ninterval = \"1ms\"\n[intervals]\ndisc = \"5s\"\n");
  const std::string error = file.Load().error().message;
  EXPECT_THAT(error, HasSubstr(file.path() + ":1:10: server: \"box\" is not a server"));
  EXPECT_THAT(error, HasSubstr(file.path() + ":2:6: id: \"a/b\" cannot be a level"));
  EXPECT_THAT(error, HasSubstr(file.path() + ":3:12: interval: 1ms is out of range"));
  EXPECT_THAT(error, HasSubstr("did you mean \"disk\"?"));
}

TEST(LoadAgentConfig, NamesAWrongFlag) {
  EXPECT_THAT(AgentFile("").Load({"--interval", "5x"}).error().message,
              HasSubstr("--interval: \"5x\" is not a duration"));
  EXPECT_THAT(AgentFile("").Load({"--id", "a+"}).error().message, HasSubstr("--id: \"a+\""));
}

}  // namespace
}  // namespace atalaya::cloud_client
