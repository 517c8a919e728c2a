#include "alertd/notify/enqueue.h"

#include <optional>

#include "alertd/notify/outbox_store.h"

namespace atalaya::alertd {

Status EnqueueNotice(SqliteDatabase& database, const ReceiverConfig& receiver,
                     const std::string& target, Notice notice, const EnqueueTimes& times) {
  OutboxRow row;
  row.event_ns = times.event_ns;
  row.next_attempt_ms = times.now_ms;
  const Result<std::optional<OutboxRow>> waiting =
      FindWaiting(database, receiver.name, target, notice.group_key);
  if (!waiting) return Forward(waiting.error());
  if (*waiting) {
    const Result<Notice> older = DecodeNotice((*waiting)->content);
    if (!older) return Forward(older.error());
    MergeInto(notice, *older);
    row.attempts = (*waiting)->attempts;
    row.next_attempt_ms = (*waiting)->next_attempt_ms;
    if ((*waiting)->event_ns != 0) row.event_ns = (*waiting)->event_ns;
    if (Status merged = MarkMerged(database, (*waiting)->id, times.now_ms); !merged) return merged;
  }
  row.notice_id = notice.id;
  row.receiver = receiver.name;
  row.kind = ReceiverKindName(receiver.kind);
  row.target = target;
  row.group_key = notice.group_key;
  row.status = NoticeStatus(notice);
  row.created_ms = times.now_ms;
  row.summary = NoticeSummary(notice);
  row.content = EncodeNotice(notice);
  row.evaluated_ns = times.evaluated_ns;
  return InsertWaiting(database, row);
}

std::vector<std::string> TargetsOf(const ReceiverConfig& receiver) {
  if (receiver.kind == ReceiverKind::kEmail) return receiver.email.to;
  return {""};
}

}  // namespace atalaya::alertd
