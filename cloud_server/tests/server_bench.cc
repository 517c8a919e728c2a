#include "cloud_server/tests/server_bench.h"

#include <poll.h>
#include <stdlib.h>

#include "base/file.h"

namespace atalaya::cloud_server {

ServerBench::ServerBench() {
  std::string pattern = testing::TempDir() + "cloud_server_XXXXXX";
  folder_ = mkdtemp(pattern.data());
}

ServerBench::~ServerBench() {
  app_.reset();
  std::filesystem::remove_all(folder_);
}

void ServerBench::Start(const Limits& limits) {
  Config config;
  config.listen = {{.address = {"127.0.0.1", 0}}};
  config.data_dir = folder_ / "data";
  config.name = "bench";
  config.stats_file = folder_ / "stats";
  config.file.limits = limits;
  Result<std::unique_ptr<App>> app = App::Create(config);
  ASSERT_TRUE(app) << app.error().message;
  app_ = std::move(*app);
  app_->Start();
}

void ServerBench::StartFrom(const std::string& toml) {
  WriteConfig(toml);
  Options options;
  options.config_file = folder_ / "server.toml";
  options.data_dir = folder_ / "data";
  options.name = "bench";
  options.stats_file = folder_ / "stats";
  const Result<Config> config = LoadConfig(options);
  ASSERT_TRUE(config) << config.error().message;
  Result<std::unique_ptr<App>> app = App::Create(*config);
  ASSERT_TRUE(app) << app.error().message;
  app_ = std::move(*app);
  app_->Start();
}

void ServerBench::WriteConfig(const std::string& toml) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "server.toml", toml));
}

std::int64_t ServerBench::Total(telemetry::Stat stat) const {
  const Result<telemetry::StatsSnapshot> snapshot = telemetry::ReadStats(folder_ / "stats");
  EXPECT_TRUE(snapshot) << snapshot.error().message;
  return snapshot ? snapshot->Total(stat) : -1;
}

bool ServerBench::Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + TestClient::kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    poll(nullptr, 0, 2);
  }
  return true;
}

testing::AssertionResult ServerBench::Reaches(telemetry::Stat stat, std::int64_t value) const {
  if (Eventually([&] { return Total(stat) == value; })) return testing::AssertionSuccess();
  const telemetry::StatInfo& info = telemetry::kStats[static_cast<std::size_t>(stat)];
  return testing::AssertionFailure() << info.label_value << " stands at " << Total(stat);
}

}  // namespace atalaya::cloud_server
