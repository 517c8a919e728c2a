#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alertd/alert.h"
#include "alertd/notify/counters.h"
#include "alertd/notify/outbox.h"
#include "alertd/notify/routing.h"
#include "alertd/notify/silence_book.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

struct DispatcherOptions {
  std::shared_ptr<const Routing> routing;  // Complete; required.
  std::size_t max_waiting_per_receiver = kMaxWaitingPerReceiver;
  const SilenceBook* silences = nullptr;  // Not owned; outlives the dispatcher; may be null.
  const Clock* clock = &SystemClock();
  NotifyCounters* counters = nullptr;     // Not owned; outlives the dispatcher; may be null.
  std::function<std::uint64_t()> random;  // For notice ids; empty takes the kernel's.
};

// Turns alerts into notices in the outbox, group by group, as Alertmanager does.
//
// Each alert belongs to a group in each route that takes it. A new group is told after its route's
// group_wait (at once where an alert of it has fired for so long already), then looked at every
// group_interval: a receiver gets a notice where an alert fires that it does not know, where one it
// knows has ended, and after repeat_interval where some still fire. The notice carries all alerts
// of the group that fire, and those that ended. Alerts that are silenced or inhibited are passed
// over, and a route that is muted tells nothing; they are told at the next look after that ends.
//
// What differs from Alertmanager: an alert that is `immediate` is told without any wait when it
// begins and when it ends, and what else is new in its group with it. Whoever heard of a firing
// hears of its end, silenced or not, in the group as it was told, also where routes have changed
// since. A receiver hears of an end only if it heard of the firing, and of each episode for itself.
//
// What there is to know of groups stands in the database, so that a transaction rolled back leaves
// no trace, and a restart neither repeats nor forgets nor waits again. A notice that still waits
// when the next one of its receiver and group is written is merged into it: each episode of each
// alert is told, at the latest state known.
//
// Source: the Alertmanager documentation, <route>; its dispatch and notify packages.
// Threads: one at a time. Does not block but for the database.
class Dispatcher {
 public:
  explicit Dispatcher(DispatcherOptions options);

  // Writes outbox rows within the transaction that the caller has open on `database` (that is where
  // the alerts' own state is stored too). Returns how many: above 0, call Deliverer::Wake after the
  // commit. kIo where the database fails; the caller rolls back and calls again with the same.
  Result<std::size_t> Process(SqliteDatabase& database, const AlertsNow& alerts,
                              std::int64_t now_ms);

  // When Process wants to be called again, changes or none: before the first call at once, and no
  // value where there is no group. Counts once the last call's transaction is committed.
  std::optional<std::int64_t> next_due_ms() const { return next_due_ms_; }

 private:
  DispatcherOptions options_;
  std::optional<std::int64_t> next_due_ms_ = 0;
};

}  // namespace atalaya::alertd
