#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alertd/notify/dispatcher.h"
#include "alertd/notify/notice.h"
#include "alertd/notify/outbox.h"
#include "alertd/notify/posted_alerts.h"
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
  const std::array<std::string_view, 4> migrations{kNotifyMigration1, kSilencesMigration1,
                                                   kNotifyMigration2, kPostedAlertsMigration1};
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

// What fires, as the rules know it; all of it immediate.
class FiringAlerts {
 public:
  // All that fires after `changed`, and what of that resolved.
  AlertsNow Change(const std::vector<Alert>& changed) {
    AlertsNow alerts;
    for (Alert alert : changed) {
      alert.immediate = true;
      if (alert.state == AlertState::kFiring) firing_[alert.Fingerprint()] = alert;
      if (alert.state != AlertState::kInactive) continue;
      firing_.erase(alert.Fingerprint());
      alerts.resolved.push_back(alert);
    }
    for (const auto& [fingerprint, alert] : firing_) alerts.firing.push_back(alert);
    return alerts;
  }

 private:
  std::map<std::uint64_t, Alert> firing_;
};

// What [route], [[inhibit_rule]] and [[time_interval]] of `toml` say, for `receivers`.
inline std::shared_ptr<Routing> MakeRouting(std::vector<ReceiverConfig> receivers,
                                            const std::string& toml = "",
                                            bool drill_notify = false) {
  Result<ConfigFile> file = ConfigFile::Parse(toml, "routing.toml");
  ATALAYA_CHECK(file.has_value());
  auto routing = std::make_shared<Routing>();
  std::vector<NameUse> uses;
  ConfigTable root = file->Root();
  ConfigTable route = root.Table("route");
  routing->root = ReadRoute(route, uses);
  for (ConfigTable& table : root.Tables("inhibit_rule"))
    routing->inhibit_rules.push_back(ReadInhibitRule(table));
  for (ConfigTable& table : root.Tables("time_interval"))
    ReadTimeInterval(table, routing->time_intervals);
  routing->receivers = std::move(receivers);
  routing->drill_notify = drill_notify;
  ATALAYA_CHECK(CompleteRouting(*routing, uses).empty());
  const Status good = file->Finish();
  ATALAYA_CHECK(good.has_value());
  return routing;
}

}  // namespace atalaya::alertd
