#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "alertd/alert.h"
#include "alertd/config.h"
#include "alertd/notify/deliverer.h"
#include "alertd/notify/dispatcher.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

// Dispatcher and deliverer under one configuration, which a reload replaces.
// Threads: Process and Wake from the rules' thread, Configure from the main one.
class Notices {
 public:
  Notices(std::string state_path, const Clock& clock, NotifyCounters& counters, NoticeLag& lag)
      : state_path_(std::move(state_path)), clock_(clock), counters_(counters), lag_(lag) {}

  // Before Configure. `silences` outlives this.
  void SetSilences(const SilenceBook& silences) { silences_ = &silences; }

  // Takes the receivers of `config` over; blocks while a mail of the old ones is under way. Fails
  // where state.db cannot be opened once more; then the old ones stay, where there are any.
  Status Configure(const Config& config, const std::string& external_url);

  // Within the transaction that stores the alerts' states.
  Status Process(SqliteDatabase& database, std::span<const Alert> changed, std::int64_t now_ms);

  void Wake();  // After its commit.

  // An alert as it leaves the program: with the external labels. Threads: any.
  Alert Outside(Alert alert);

  // The names of the receivers that hear of an alert. Threads: any.
  std::vector<std::string> ReceiversOf(const Alert& alert);

 private:
  const std::string state_path_;
  const Clock& clock_;
  NotifyCounters& counters_;
  NoticeLag& lag_;
  const SilenceBook* silences_ = nullptr;
  std::mutex mutex_;  // Guards what follows.
  LabelMap external_labels_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Deliverer> deliverer_;  // Null while it is being replaced.
};

}  // namespace atalaya::alertd
