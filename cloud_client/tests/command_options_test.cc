#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "cloud_client/agent_config.h"
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
  EXPECT_EQ(ParseServer("mqtt://127.0.0.1:1884")->address.ToString(), "127.0.0.1:1884");
  EXPECT_EQ(ParseServer("mqtt://box")->address.ToString(), "box:1883");
  EXPECT_EQ(ParseServer("mqtt://[::1]/")->address.ToString(), "[::1]:1883");
  EXPECT_EQ(ParseServer("mqtt://[::1]:99")->address.ToString(), "[::1]:99");
  EXPECT_FALSE(ParseServer("mqtt://box")->tls);
  EXPECT_EQ(ParseServer("mqtts://box")->address.ToString(), "box:8883");
  EXPECT_TRUE(ParseServer("mqtts://box")->tls);
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
  EXPECT_THAT(error({"--topic", "a", "--qos", "3"}), HasSubstr("--qos: 3"));
  EXPECT_THAT(error({"--topic", "a", "--server", "box"}), HasSubstr("--server: \"box\""));
  EXPECT_THAT(error({"--topic", "a", "--message", "x", "--file", "y"}), HasSubstr("exclude"));
  EXPECT_THAT(error({"--topic", "a", "--file", "/no/such"}), HasSubstr("--file: /no/such"));
}

TEST(ParsePub, TakesTheLettersOfMosquittosClients) {
  const auto options =
      Parse(ParsePub, {"-t", "a", "-m", "x", "-q", "2", "-r", "-i", "me", "-V", "mqttv311"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->topic, "a");
  EXPECT_EQ(options->qos, Qos::kExactlyOnce);
  EXPECT_TRUE(options->retain);
  EXPECT_EQ(options->id, "me");
  EXPECT_EQ(options->link.protocol, Protocol::kMqtt311);
}

TEST(ParsePub, NamesTheSameClientEachTimeThatASpoolIsUsed) {
  const auto first = Parse(ParsePub, {"-t", "a", "--spool", "/s"});
  EXPECT_EQ(first->id, "pub-" + HostName());
  EXPECT_NE(Parse(ParsePub, {"-t", "a"})->id, first->id);
}

TEST(ParseSend, WritesBothClientsAsLevelsOfTheTopic) {
  const auto options = Parse(ParseSend, {"--to", "pump/7", "-i", "my box", "-m", "x"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->topic, "to/pump%2F7/my%20box");
  EXPECT_EQ(options->qos, Qos::kAtLeastOnce);
  EXPECT_THAT(Parse(ParseSend, {}).error().message, HasSubstr("--to: \"\""));
}

TEST(Link, NamesTheFlagThatIsWrong) {
  const auto error = [](std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), {"-t", "a"});
    return Parse(ParsePub, std::move(arguments)).error().message;
  };
  EXPECT_THAT(error({"--server", "mqtt://a", "--server", "mqtts://b"}), HasSubstr("all with TLS"));
  EXPECT_THAT(error({"--tls-ca", "ca.pem"}), HasSubstr("need --server mqtts://"));
  EXPECT_THAT(error({"--server", "mqtts://a", "--cert", "c"}), HasSubstr("one needs the other"));
  EXPECT_THAT(error({"--password-file", "f"}), HasSubstr("needs --user"));
  EXPECT_THAT(error({"-u", "ana", "--password-file", "/no/such"}),
              HasSubstr("--password-file: /no/such"));
  EXPECT_THAT(error({"-V", "4"}), HasSubstr("--mqtt-version: \"4\""));
}

TEST(Link, TakesThePasswordFromAFileThatNobodyElseReads) {
  char name[] = "/tmp/atalaya-password-XXXXXX";
  const UniqueFd fd(mkstemp(name));
  std::ofstream(name) << "secret word\n";
  const auto options = Parse(ParsePub, {"-t", "a", "-u", "ana", "--password-file", name});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->link.user, "ana");
  EXPECT_EQ(options->link.password, "secret word");
  std::filesystem::permissions(name, std::filesystem::perms(0644));
  EXPECT_THAT(Parse(ParsePub, {"-t", "a", "-u", "ana", "--password-file", name}).error().message,
              HasSubstr("lets others read"));
  std::filesystem::remove(name);
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
  EXPECT_EQ(from_file->link.ToString(), "mqtt://a:1");
  EXPECT_EQ(from_file->id, "x");
  EXPECT_EQ(from_file->interval, std::chrono::seconds(2));
  EXPECT_EQ(from_file->intervals.at("disk"), std::chrono::minutes(1));
  const auto with_flags = file.Load({"--server", "mqtt://b:2", "--id", "y", "--interval", "500ms"});
  ASSERT_TRUE(with_flags) << with_flags.error().message;
  EXPECT_EQ(with_flags->link.ToString(), "mqtt://b:2");
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

TEST(LoadAgentConfig, ReadsFilesAndCommands) {
  AgentFile file(
      "server = [\"mqtt://a\", \"mqtt://b\"]\nspool = \"/var/s\"\nspool_size = \"2MiB\"\n"
      "[[file]]\nname = \"fan\"\npath = \"/sys/fan\"\ninterval = \"2s\"\n"
      "[[command]]\nname = \"ups\"\nrun = [\"upsc\", \"-j\"]\ntimeout = \"1s\"\n");
  const auto config = file.Load();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->link.ToString(), "mqtt://a:1883,mqtt://b:1883");
  EXPECT_EQ(config->link.spool, "/var/s");
  EXPECT_EQ(config->spool_bytes, 2u << 20);
  ASSERT_EQ(config->files.size(), 1u);
  EXPECT_EQ(config->files[0].path, "/sys/fan");
  EXPECT_EQ(config->files[0].interval, std::chrono::seconds(2));
  ASSERT_EQ(config->commands.size(), 1u);
  EXPECT_THAT(config->commands[0].spec.run, testing::ElementsAre("upsc", "-j"));
  EXPECT_EQ(config->commands[0].spec.timeout, std::chrono::seconds(1));
  EXPECT_EQ(config->commands[0].interval, std::chrono::seconds(5));
}

TEST(LoadAgentConfig, NamesTheFaultsOfFilesAndCommands) {
  AgentFile file(
      "spool_size = \"1KiB\"\n[[file]]\nname = \"cpu\"\npath = \"/x\"\n"
      "[[command]]\nname = \"a+\"\nrun = [\"x\"]\ntimeout = \"1m\"\n"
      "[[command]]\nname = \"b\"\n");
  const std::string error = file.Load().error().message;
  EXPECT_THAT(error, HasSubstr(":1:14: spool_size: must be at least"));
  EXPECT_THAT(error, HasSubstr(":3:8: name: \"cpu\" is the name of another reading"));
  EXPECT_THAT(error, HasSubstr(":6:8: name: cannot be part of a topic"));
  EXPECT_THAT(error, HasSubstr(":8:11: timeout: must be more than 0 and at most the interval, 5s"));
  EXPECT_THAT(error, HasSubstr("run: needed"));
}

TEST(LoadAgentConfig, KeepsASpoolUnlessToldOtherwise) {
  setenv("STATE_DIRECTORY", "/var/lib/x:/y", 1);
  EXPECT_EQ(AgentFile("id = \"box 7\"\n").Load()->link.spool, "/var/lib/x/agent-box%207");
  EXPECT_EQ(AgentFile("spool = \"none\"\n").Load()->link.spool, "");
  EXPECT_EQ(AgentFile("spool = \"/a\"\n").Load({"--spool", "/b"})->link.spool, "/b");
  unsetenv("STATE_DIRECTORY");
}

TEST(LoadAgentConfig, NamesAWrongFlag) {
  EXPECT_THAT(AgentFile("").Load({"--interval", "5x"}).error().message,
              HasSubstr("--interval: \"5x\" is not a duration"));
  EXPECT_THAT(AgentFile("").Load({"--id", "a+"}).error().message, HasSubstr("--id: \"a+\""));
}

}  // namespace
}  // namespace atalaya::cloud_client
