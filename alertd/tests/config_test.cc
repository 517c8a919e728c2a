#include "alertd/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "alertd/token.h"
#include "base/file.h"

namespace atalaya::alertd {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

constexpr char kBad[] = "alertd/tests/bad_config";

// A file NAME.toml with one fault, and in NAME.expected the message, without the folder.
TEST(Config, NamesEachFaultWithItsPlace) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kBad)) {
    if (entry.path().extension() != ".expected") continue;
    ++files;
    std::filesystem::path path = entry.path();
    std::string expected = ReadFile(path).value();
    expected.erase(expected.find_last_not_of('\n') + 1);
    const Result<Config> config = LoadConfig({path.replace_extension(".toml").string()});
    ASSERT_FALSE(config) << path;
    std::string message = config.error().message;
    for (std::size_t at = 0; (at = message.find(kBad, at)) != std::string::npos;)
      message.erase(at, std::string_view(kBad).size() + 1);
    EXPECT_EQ(message, expected);
  }
  EXPECT_GE(files, 20u);
}

class ConfigFiles : public testing::Test {
 protected:
  ConfigFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atalaya-cfg-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~ConfigFiles() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomic(folder_ / name, text));
    return (folder_ / name).string();
  }
  std::filesystem::path folder_;
};

TEST_F(ConfigFiles, LooksForTheTokenInTheStorageFolder) {
  const std::string file = Write("a.toml", "[storage]\ndir = '.'\n");
  EXPECT_EQ(LoadConfig({file})->http.token_file, (folder_ / "./token").string());
  EXPECT_EQ(LoadConfig({file})->http.token, "");
  const std::string made = ReadOrMakeTokenFile((folder_ / "token").string()).value();
  EXPECT_EQ(made.size(), 32u);
  EXPECT_EQ(LoadConfig({file})->http.token, made);
  EXPECT_EQ(ReadOrMakeTokenFile((folder_ / "token").string()).value(), made);
  std::filesystem::permissions(folder_ / "token", std::filesystem::perms(0644));
  EXPECT_EQ(ReadOrMakeTokenFile((folder_ / "token").string()).error().code, ErrorCode::kRefused);
}

TEST_F(ConfigFiles, TakesTheBasePathFromTheExternalUrl) {
  const auto base_path = [&](const std::string& http) {
    return LoadConfig({Write("a.toml", "[http]\n" + http)})->http.base_path;
  };
  EXPECT_EQ(base_path("external_url = 'https://tower.example:8443/watch/atalaya/'"),
            "/watch/atalaya");
  EXPECT_EQ(base_path("external_url = 'https://tower.example'"), "");
  EXPECT_EQ(base_path("external_url = 'https://tower.example/'"), "");
  EXPECT_EQ(base_path("external_url = 'https://tower.example/x'\nbase_path = '/y'"), "/y");
}

TEST_F(ConfigFiles, ReadsSeveralFilesAsOne) {
  const std::string first = Write("a.toml", R"(
    [http]
    listen = "127.0.0.1:1"
    [storage]
    dir = "state"
    [[scrape]]
    job = "node"
    targets = ["127.0.0.1:9100"]
    process = "cloud_server"
  )");
  const std::string second = Write("b.toml", R"(
    [http]
    listen = "127.0.0.1:2"
    [drill]
    match = { server = "x" }
    [[scrape]]
    job = "other"
    targets = ["https://127.0.0.1:9200"]
    interval = "1s"
  )");
  const Result<Config> config = LoadConfig({first, second});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->http.listen.port, 2);
  EXPECT_EQ(config->storage.dir, (folder_ / "state").string());
  ASSERT_THAT(config->collect.scrapes, SizeIs(2));
  EXPECT_EQ(config->collect.scrapes[0].labels.at("process"), "cloud_server");
  EXPECT_EQ(config->collect.scrapes[0].timeout, 5s);
  EXPECT_EQ(config->collect.scrapes[1].timeout, 1s);
  EXPECT_EQ(config->drill->match.at("server"), "x");
}

TEST_F(ConfigFiles, LoadsEachRuleFileOnceInOrder) {
  Write("2.toml", "[[rule]]\nalert = \"B\"\nexpr = \"up == 0\"\n");
  Write("1.toml", "[[rule]]\nalert = \"A\"\nexpr = \"up == 0\"\n");
  const std::string path =
      Write("alertd.conf", "[rules]\nfiles = [\"*.toml\", \"1.toml\"]\ninterval = \"1s\"\n");
  const Result<Config> config = LoadConfig({path});
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_THAT(config->rules.list, SizeIs(2));
  EXPECT_EQ(config->rules.list[0].alert, "A");
  EXPECT_EQ(config->rules.interval, 1s);
}

TEST(ShippedRules, AreGoodAndSayWhatToDo) {
  for (const char* path : {"rules/host.toml", "rules/cloud_server.toml"}) {
    Result<ConfigFile> file = ConfigFile::Load(path);
    ASSERT_TRUE(file) << file.error().message;
    std::vector<ConfigTable> tables = file->Root().Tables("rule");
    EXPECT_FALSE(tables.empty());
    for (ConfigTable& table : tables) {
      const Rule rule = ReadRule(table);
      EXPECT_TRUE(rule.annotations.contains("summary")) << rule.alert;
      EXPECT_TRUE(rule.labels.contains("severity")) << rule.alert;
    }
    const Status good = file->Finish();
    EXPECT_TRUE(good) << good.error().message;
  }
}

}  // namespace
}  // namespace atalaya::alertd
