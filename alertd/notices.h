#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "alertd/alert.h"
#include "alertd/config.h"
#include "alertd/notify/deliverer.h"
#include "alertd/notify/dispatcher.h"
#include "alertd/notify/posted_alerts.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

// Dispatcher and deliverer under one configuration, which a reload replaces.
// Threads: Process, Due, NextDueMs and Wake from the rules' thread, Configure from the main one,
// View and Routes from any.
class Notices {
 public:
  Notices(std::string state_path, const Clock& clock, NotifyCounters& counters, NoticeLag& lag)
      : state_path_(std::move(state_path)), clock_(clock), counters_(counters), lag_(lag) {}

  // Before Configure. Both outlive this.
  void SetBooks(SilenceBook& silences, PostedAlerts& posted) {
    silences_ = &silences;
    posted_ = &posted;
  }

  // Takes the receivers of `config` over; blocks while a mail of the old ones is under way. Fails
  // where state.db cannot be opened once more; then the old ones stay, where there are any.
  Status Configure(const Config& config, const std::string& external_url);

  // Within the transaction that stores the alerts' states; `alerts` are those of the rules.
  Status Process(SqliteDatabase& database, AlertsNow alerts, std::int64_t now_ms);

  // Whether Process is to run though no rule's alert changed, and when to ask again.
  bool Due(std::int64_t now_ms);
  std::optional<std::int64_t> NextDueMs();

  void Wake();  // After its commit.

  // How the alerts of rules that fire, and those that were posted, stand.
  std::vector<AlertView> View(std::vector<Alert> firing);

  std::shared_ptr<const Routing> Routes();  // Never null after Configure.

 private:
  const std::string state_path_;
  const Clock& clock_;
  NotifyCounters& counters_;
  NoticeLag& lag_;
  SilenceBook* silences_ = nullptr;
  PostedAlerts* posted_ = nullptr;
  std::mutex mutex_;  // Guards what follows.
  LabelMap external_labels_;
  std::shared_ptr<const Routing> routing_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Deliverer> deliverer_;  // Null while it is being replaced.
};

}  // namespace atalaya::alertd
