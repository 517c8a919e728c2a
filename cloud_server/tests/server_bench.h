#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "cloud_server/app.h"
#include "cloud_server/tests/test_client.h"

namespace atalaya::cloud_server {

// A whole server within the test's process, on a port of the kernel's choice.
class ServerBench : public testing::Test {
 protected:
  ServerBench();
  ~ServerBench() override;

  void Start(const Limits& limits = {});
  // The same with the file that --config would name; it must have a [[listener]].
  void StartFrom(const std::string& toml);
  void WriteConfig(const std::string& toml);  // Over the file of StartFrom.
  // The same with a listener behind `toml`, and the file replaced and read again.
  void StartWith(const std::string& toml) { StartFrom(toml + kListener); }
  Status Reload(const std::string& toml) {
    WriteConfig(toml + kListener);
    return app_->Reload();
  }
  const HostPort& address() const { return app_->addresses().front(); }
  std::int64_t Total(telemetry::Stat stat) const;
  // Waits until `condition` holds, at most TestClient::kDeadline.
  static bool Eventually(const std::function<bool()>& condition);
  // Waits until the counter has this value, and says what it had.
  testing::AssertionResult Reaches(telemetry::Stat stat, std::int64_t value) const;

  static constexpr char kListener[] = "\n[[listener]]\naddress = '127.0.0.1:0'\n";

  std::filesystem::path folder_;
  std::unique_ptr<App> app_;
};

}  // namespace atalaya::cloud_server
