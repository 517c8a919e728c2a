#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

// The tables of notify/ in state.db, as migrations (base/sqlite.h): `outbox`; what each receiver
// has been told and not yet seen resolved (`notified`, `notified_group`); and when each group of
// alerts is told next (`alert_group`).
extern const std::string_view kNotifyMigration1;
extern const std::string_view kNotifyMigration2;

inline constexpr std::int64_t kOutboxHistoryMs = std::int64_t{30} * 24 * 3600 * 1000;
inline constexpr std::size_t kMaxHistoryRows = 100'000;
inline constexpr std::size_t kMaxWaitingPerReceiver = 10'000;  // Beyond it the oldest are dropped.
inline constexpr std::size_t kMaxHistoryPage = 1'000;

enum class OutboxState {
  kWaiting,  // To be sent at `next_attempt_ms`, or in flight.
  kSent,     // Accepted by the receiver.
  kFailed,   // Refused for good.
  kDropped,  // Given up for a limit, or because its receiver left the configuration.
  kMerged,   // Overtaken while it waited: a later notice tells what this one would have told.
};

// "waiting", "sent", "failed", "dropped", "merged".
std::string_view OutboxStateName(OutboxState state);
std::optional<OutboxState> ParseOutboxState(std::string_view name);

// One notice to one target: a webhook, or one recipient of an email.
struct OutboxRow {
  std::int64_t id = 0;  // Grows; names the row.
  std::string
      notice_id;  // Names the notice to its receiver: the same at each attempt and recipient.
  std::string receiver;   // ReceiverConfig::name.
  std::string kind;       // ReceiverKindName.
  std::string target;     // The recipient of an email; "" otherwise.
  std::string group_key;  // As in the webhook payload: `{}:{alertname="DiskSpaceLow"}`.
  std::string status;     // "firing" while any alert of it fires, else "resolved".
  OutboxState state = OutboxState::kWaiting;
  std::int64_t attempts = 0;
  std::int64_t created_ms = 0;
  std::int64_t next_attempt_ms = 0;  // While it waits.
  std::int64_t finished_ms = 0;      // When it left kWaiting; 0 before.
  std::string last_error;            // "" where no attempt failed.
  std::string summary;               // One line for people.
  std::string content;               // A Notice (alertd/notify/notice.h), encoded; while it waits.

  // Stages, steady clock, 0 where unknown: the event behind the first alert was seen; it was
  // evaluated and written; the deliverer found it committed; the receiver accepted it.
  std::int64_t event_ns = 0;
  std::int64_t evaluated_ns = 0;
  std::int64_t stored_ns = 0;
  std::int64_t accepted_ns = 0;
};

struct OutboxQuery {
  std::optional<OutboxState> state = std::nullopt;
  std::string receiver = {};  // "" for all.
  std::string text = {};  // In summary, receiver, recipient or error, whatever case; "" for all.
  std::int64_t before_id = 0;  // Only older rows than this one; 0 begins at the newest.
  std::size_t limit = 100;     // At most kMaxHistoryPage.
};

// The history for the API and the page, newest first, without `content`. kIo where the database
// fails.
Result<std::vector<OutboxRow>> ListOutbox(SqliteDatabase& database, const OutboxQuery& query);

}  // namespace atalaya::alertd
