#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "alertd/notify/dispatcher.h"
#include "alertd/notify/notice.h"
#include "alertd/notify/outbox.h"
#include "alertd/notify/silence_book.h"
#include "base/check.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

// A folder that ends with the test.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atalaya-notify-XXXXXX");
    ATALAYA_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline SqliteDatabase OpenTestState(const TestFolder& folder) {
  const std::array<std::string_view, 2> migrations{kNotifyMigration1, kSilencesMigration1};
  Result<SqliteDatabase> database =
      SqliteDatabase::Open((folder.path() / "state.db").string(), SqliteSync::kFull, migrations);
  ATALAYA_CHECK(database.has_value());
  return std::move(*database);
}

inline constexpr std::int64_t kStartMs = 1'795'000'000'000;

inline Alert FiringAlert(const std::string& name, const std::string& instance,
                         std::int64_t fired_at_ms = kStartMs) {
  Alert alert;
  alert.labels =
      telemetry::Labels({{"alertname", name}, {"instance", instance}, {"severity", "critical"}});
  alert.annotations = {{"summary", instance + " is down"}};
  alert.state = AlertState::kFiring;
  alert.active_since_ms = fired_at_ms;
  alert.fired_at_ms = fired_at_ms;
  alert.value = 1;
  return alert;
}

inline Alert Resolved(Alert alert, std::int64_t resolved_at_ms) {
  alert.state = AlertState::kInactive;
  alert.resolved_at_ms = resolved_at_ms;
  alert.resolve_reason = ResolveReason::kRecovered;
  return alert;
}

inline ReceiverConfig WebhookReceiver(const std::string& name,
                                      const std::string& url = "http://127.0.0.1:1/") {
  ReceiverConfig receiver;
  receiver.name = name;
  receiver.kind = ReceiverKind::kWebhook;
  receiver.webhook.url = url;
  return receiver;
}

inline ReceiverConfig EmailReceiver(const std::string& name, std::vector<std::string> to) {
  ReceiverConfig receiver;
  receiver.name = name;
  receiver.kind = ReceiverKind::kEmail;
  receiver.email.server.url = "smtp://127.0.0.1:1";
  receiver.email.from = "atalaya@example.org";
  receiver.email.to = std::move(to);
  return receiver;
}

}  // namespace atalaya::alertd
