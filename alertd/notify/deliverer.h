#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alertd/notify/counters.h"
#include "alertd/notify/notice_lag.h"
#include "alertd/notify/receiver_config.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

struct DelivererOptions {
  std::vector<ReceiverConfig> receivers;
  std::string external_url;  // Where people open the page: "http://127.0.0.1:9480".
  const Clock* clock = &SystemClock();
  NotifyCounters* counters = nullptr;  // Not owned; outlives the deliverer; required.
  NoticeLag* lag = nullptr;            // Likewise.
  std::function<double()> random;      // 0 <= x < 1, for jitter; empty takes the kernel's.
};

// Sends what waits in the outbox: at least once, oldest first, one in flight per receiver, all
// receivers at the same time. A notice that a crash overtook in flight is sent again under the
// same id; nothing else repeats.
//
// Failed attempts are repeated after 1, 2, 4 ... 300 s with jitter, or when the receiver's
// Retry-After says; what a receiver refuses for good, or does not take for three days, is marked
// failed and handed on to its fallback once. Each change between working
// and failing is logged once per receiver and recipient. Rows whose receiver is no longer
// configured are dropped at the start, and counted. History beyond kOutboxHistoryMs and
// kMaxHistoryRows is removed.
//
// Threads: Wake from any; the rest by the owner. Its own thread is the only user of `database`.
class Deliverer {
 public:
  // `database` is a connection of the deliverer's own to state.db (SqliteSync::kFull), with
  // kNotifyMigration1 applied. Begins at once. An unreachable receiver is no failure.
  static Result<std::unique_ptr<Deliverer>> Start(DelivererOptions options,
                                                  SqliteDatabase database);

  // Stops within about a second: deliveries under way end, and their notices stay in the outbox.
  ~Deliverer();
  Deliverer(const Deliverer&) = delete;
  Deliverer& operator=(const Deliverer&) = delete;

  // Says that rows were committed. Never blocks.
  void Wake();

 private:
  struct Impl;
  explicit Deliverer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
