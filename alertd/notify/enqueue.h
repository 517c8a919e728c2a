#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alertd/notify/notice.h"
#include "alertd/notify/receiver_config.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

struct EnqueueTimes {
  std::int64_t now_ms = 0;
  std::int64_t event_ns = 0;      // OutboxRow::event_ns.
  std::int64_t evaluated_ns = 0;  // OutboxRow::evaluated_ns.
};

// Puts a notice into the outbox for one target, within the transaction that is open. A notice of
// its group that still waits for that target is merged into it. kIo where the database fails.
Status EnqueueNotice(SqliteDatabase& database, const ReceiverConfig& receiver,
                     const std::string& target, Notice notice, const EnqueueTimes& times);

// Whom a receiver's notices go to: OutboxRow::target of each.
std::vector<std::string> TargetsOf(const ReceiverConfig& receiver);

}  // namespace atalaya::alertd
