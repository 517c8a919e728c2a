#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "alertd/alert.h"
#include "alertd/notify/counters.h"
#include "alertd/notify/outbox.h"
#include "alertd/notify/receiver_config.h"
#include "alertd/notify/silence_book.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

struct DispatcherOptions {
  std::vector<ReceiverConfig> receivers;
  bool drill_notify = false;  // Receivers without `drill` hear of alerts labelled drill="true" too.
  std::size_t max_waiting_per_receiver = kMaxWaitingPerReceiver;
  const SilenceBook* silences = nullptr;  // Not owned; outlives the dispatcher; may be null.
  const Clock* clock = &SystemClock();
  NotifyCounters* counters = nullptr;     // Not owned; outlives the dispatcher; may be null.
  std::function<std::uint64_t()> random;  // For notice ids; empty takes the kernel's.
};

// Turns changes of alerts into notices in the outbox: one notice per receiver and alertname, with
// the changed alerts and all others of that alertname that the receiver was told of and that still
// fire.
//
// It keeps nothing in memory: what each receiver has been told stands in the database, so that a
// transaction rolled back leaves no trace. A firing alert that a receiver knows already, and a
// resolved one that it was never told of, make no notice; so it is safe to hand over the same
// alerts again after a restart. Pending alerts are passed over, and firing ones that a silence
// covers: hand those over again when it ends. Who heard of a firing hears of its end, silence or
// not.
//
// A notice that still waits when the next one of its receiver and group is written is merged into
// it: each episode of each alert is told, at the latest state known.
//
// Threads: one at a time. Does not block but for the database.
class Dispatcher {
 public:
  explicit Dispatcher(DispatcherOptions options);

  // Writes outbox rows within the transaction that the caller has open on `database` (that is where
  // the alerts' own state is stored too). `changed`: firing alerts, and resolved ones (kInactive
  // with `resolved_at_ms`). Returns how many rows were written: above 0, call Deliverer::Wake after
  // the commit. kIo where the database fails; the caller rolls back and may try again.
  Result<std::size_t> Process(SqliteDatabase& database, std::span<const Alert> changed,
                              std::int64_t now_ms);

  // The names of the receivers that are to hear of an alert.
  std::vector<std::string> ReceiversOf(const Alert& alert) const;

 private:
  DispatcherOptions options_;
};

}  // namespace atalaya::alertd
