#include "alertd/notify/dispatcher.h"

#include <sys/random.h>

#include <algorithm>
#include <map>
#include <optional>

#include "alertd/notify/enqueue.h"
#include "alertd/notify/notice.h"
#include "alertd/notify/outbox_store.h"
#include "base/check.h"
#include "base/log.h"

namespace atalaya::alertd {
namespace {

std::uint64_t RandomBits() {
  std::uint64_t value = 0;
  ATALAYA_CHECK(getrandom(&value, sizeof value, 0) == sizeof value);
  return value;
}

bool IsDrill(const Alert& alert) { return alert.labels.Get("drill") == "true"; }

bool IsFiring(const Alert& alert) { return alert.state == AlertState::kFiring; }

bool IsResolved(const Alert& alert) {
  return alert.state == AlertState::kInactive && alert.resolved_at_ms != 0;
}

telemetry::Labels GroupLabels(const Alert& alert) {
  telemetry::Labels labels;
  labels.Set("alertname", CutText(alert.labels.Get("alertname"), kMaxLabelBytes));
  return labels;
}

std::string GroupKey(const telemetry::Labels& group_labels) {
  return fmt::format("{{}}:{}", group_labels.ToString());
}

bool Wants(const DispatcherOptions& options, const ReceiverConfig& receiver, const Alert& alert) {
  if (receiver.drill) return IsDrill(alert);
  // A resolved drill is told whoever heard of its firing, whatever the setting is now.
  return !IsDrill(alert) || options.drill_notify || IsResolved(alert);
}

// The changed alerts of one group, as one receiver is to hear of them.
struct Group {
  telemetry::Labels labels;
  std::vector<NoticeAlert> resolved;
  std::int64_t event_ns = 0;  // The earliest known.
};

// One receiver's part of one Process call.
class ReceiverPass {
 public:
  ReceiverPass(const DispatcherOptions& options, const ReceiverConfig& receiver,
               SqliteDatabase& database, std::int64_t now_ms)
      : options_(options), receiver_(receiver), database_(database), now_ms_(now_ms) {}

  Result<std::size_t> Run(std::span<const Alert> changed);

 private:
  bool IsSilenced(const Alert& alert) const;
  Status TakeFiring(const Alert& alert);
  Status TakeResolved(const Alert& alert);
  Result<std::optional<std::int64_t>> FiredAt(const std::string& group_key,
                                              std::uint64_t fingerprint);
  Group& Change(const Alert& alert);
  Result<std::vector<NoticeAlert>> StillFiring(const std::string& group_key);
  Result<std::string> ThreadId(const std::string& group_key, const std::string& notice_id,
                               bool ends);
  Result<std::size_t> Write(const std::string& group_key, Group& group);
  std::string NewId() const;

  const DispatcherOptions& options_;
  const ReceiverConfig& receiver_;
  SqliteDatabase& database_;
  std::int64_t now_ms_;
  std::map<std::string, Group> groups_;  // By key.
};

Result<std::size_t> ReceiverPass::Run(std::span<const Alert> changed) {
  for (const Alert& alert : changed) {
    if (!Wants(options_, receiver_, alert)) continue;
    Status taken;
    if (IsFiring(alert) && !IsSilenced(alert)) taken = TakeFiring(alert);
    if (IsResolved(alert)) taken = TakeResolved(alert);
    if (!taken) return Forward(taken.error());
  }
  std::size_t written = 0;
  for (auto& [group_key, group] : groups_) {
    const Result<std::size_t> rows = Write(group_key, group);
    if (!rows) return rows;
    written += *rows;
  }
  if (written == 0) return written;
  const Result<std::int64_t> dropped =
      DropOldest(database_, receiver_.name, options_.max_waiting_per_receiver, now_ms_);
  if (!dropped) return Forward(dropped.error());
  if (*dropped > 0) {
    LogError("receiver \"{}\": {} oldest notices dropped: more than {} wait", receiver_.name,
             *dropped, options_.max_waiting_per_receiver);
    if (options_.counters != nullptr)
      options_.counters->AddDropped(receiver_.name, static_cast<std::uint64_t>(*dropped));
  }
  return written;
}

bool ReceiverPass::IsSilenced(const Alert& alert) const {
  return options_.silences != nullptr && !options_.silences->Covering(alert.labels).empty();
}

Status ReceiverPass::TakeFiring(const Alert& alert) {
  const std::string group_key = GroupKey(GroupLabels(alert));
  const Result<std::optional<std::int64_t>> known = FiredAt(group_key, alert.Fingerprint());
  if (!known) return Forward(known.error());
  if (*known == alert.fired_at_ms) return {};
  Result<SqliteStatement> insert = database_.Prepare(
      "INSERT OR REPLACE INTO notified (receiver, fingerprint, group_key, fired_at_ms, alert) "
      "VALUES (?1, ?2, ?3, ?4, ?5)");
  if (!insert) return Forward(insert.error());
  const std::string encoded = EncodeNoticeAlert(MakeNoticeAlert(alert));
  const Status stored = insert->Bind(1, std::string_view(receiver_.name))
                            .Bind(2, static_cast<std::int64_t>(alert.Fingerprint()))
                            .Bind(3, std::string_view(group_key))
                            .Bind(4, alert.fired_at_ms)
                            .Bind(5, std::string_view(encoded))
                            .Run();
  if (stored) Change(alert);
  return stored;
}

Status ReceiverPass::TakeResolved(const Alert& alert) {
  const std::string group_key = GroupKey(GroupLabels(alert));
  const Result<std::optional<std::int64_t>> known = FiredAt(group_key, alert.Fingerprint());
  if (!known) return Forward(known.error());
  if (!*known) return {};
  Result<SqliteStatement> remove = database_.Prepare(
      "DELETE FROM notified WHERE receiver = ?1 AND group_key = ?2 AND fingerprint = ?3");
  if (!remove) return Forward(remove.error());
  const Status removed = remove->Bind(1, std::string_view(receiver_.name))
                             .Bind(2, std::string_view(group_key))
                             .Bind(3, static_cast<std::int64_t>(alert.Fingerprint()))
                             .Run();
  if (!removed) return removed;
  NoticeAlert told = MakeNoticeAlert(alert);
  told.starts_ms = **known;  // The episode that the receiver knows.
  Change(alert).resolved.push_back(std::move(told));
  return {};
}

Result<std::optional<std::int64_t>> ReceiverPass::FiredAt(const std::string& group_key,
                                                          std::uint64_t fingerprint) {
  Result<SqliteStatement> select = database_.Prepare(
      "SELECT fired_at_ms FROM notified WHERE receiver = ?1 AND group_key = ?2 AND "
      "fingerprint = ?3");
  if (!select) return Forward(select.error());
  const Result<bool> found = select->Bind(1, std::string_view(receiver_.name))
                                 .Bind(2, std::string_view(group_key))
                                 .Bind(3, static_cast<std::int64_t>(fingerprint))
                                 .Step();
  if (!found) return Forward(found.error());
  if (!*found) return std::nullopt;
  return std::optional(select->Integer(0));
}

Group& ReceiverPass::Change(const Alert& alert) {
  const telemetry::Labels labels = GroupLabels(alert);
  Group& group = groups_[GroupKey(labels)];
  group.labels = labels;
  if (alert.event_ns != 0 && (group.event_ns == 0 || alert.event_ns < group.event_ns))
    group.event_ns = alert.event_ns;
  return group;
}

Result<std::vector<NoticeAlert>> ReceiverPass::StillFiring(const std::string& group_key) {
  Result<SqliteStatement> select =
      database_.Prepare("SELECT alert FROM notified WHERE receiver = ?1 AND group_key = ?2");
  if (!select) return Forward(select.error());
  select->Bind(1, std::string_view(receiver_.name)).Bind(2, std::string_view(group_key));
  std::vector<NoticeAlert> alerts;
  while (true) {
    const Result<bool> more = select->Step();
    if (!more) return Forward(more.error());
    if (!*more) return alerts;
    Result<NoticeAlert> alert = DecodeNoticeAlert(select->Text(0));
    if (!alert) return Forward(alert.error());
    alerts.push_back(std::move(*alert));
  }
}

// The id that this group's notices refer to: that of the one which began its trouble. `ends`
// forgets it after this notice.
Result<std::string> ReceiverPass::ThreadId(const std::string& group_key,
                                           const std::string& notice_id, bool ends) {
  Result<SqliteStatement> insert = database_.Prepare(
      "INSERT OR IGNORE INTO notified_group (receiver, group_key, thread_id) VALUES (?1, ?2, ?3)");
  if (!insert) return Forward(insert.error());
  const Status inserted = insert->Bind(1, std::string_view(receiver_.name))
                              .Bind(2, std::string_view(group_key))
                              .Bind(3, std::string_view(notice_id))
                              .Run();
  if (!inserted) return Forward(inserted.error());
  Result<SqliteStatement> select = database_.Prepare(
      "SELECT thread_id FROM notified_group WHERE receiver = ?1 AND group_key = ?2");
  if (!select) return Forward(select.error());
  const Result<bool> found =
      select->Bind(1, std::string_view(receiver_.name)).Bind(2, std::string_view(group_key)).Step();
  if (!found) return Forward(found.error());
  std::string thread_id = *found ? select->Text(0) : notice_id;
  if (!ends) return thread_id;
  select->Reset();
  Result<SqliteStatement> remove =
      database_.Prepare("DELETE FROM notified_group WHERE receiver = ?1 AND group_key = ?2");
  if (!remove) return Forward(remove.error());
  const Status removed =
      remove->Bind(1, std::string_view(receiver_.name)).Bind(2, std::string_view(group_key)).Run();
  if (!removed) return Forward(removed.error());
  return thread_id;
}

Result<std::size_t> ReceiverPass::Write(const std::string& group_key, Group& group) {
  Result<std::vector<NoticeAlert>> alerts = StillFiring(group_key);
  if (!alerts) return Forward(alerts.error());
  Notice notice;
  notice.id = NewId();
  const Result<std::string> thread_id = ThreadId(group_key, notice.id, alerts->empty());
  if (!thread_id) return Forward(thread_id.error());
  notice.thread_id = *thread_id;
  notice.receiver = receiver_.name;
  notice.group_key = group_key;
  notice.group_labels = group.labels;
  notice.created_ms = now_ms_;
  notice.alerts = std::move(*alerts);
  if (receiver_.send_resolved)
    std::move(group.resolved.begin(), group.resolved.end(), std::back_inserter(notice.alerts));
  if (!receiver_.send_resolved && !group.resolved.empty() && !notice.firing()) return 0;
  ArrangeAlerts(notice);
  const std::vector<std::string> targets = TargetsOf(receiver_);
  const EnqueueTimes times{now_ms_, group.event_ns, options_.clock->SteadyNs()};
  for (const std::string& target : targets) {
    if (Status done = EnqueueNotice(database_, receiver_, target, notice, times); !done)
      return Forward(done.error());
  }
  return targets.size();
}

std::string ReceiverPass::NewId() const {
  return fmt::format("msg_{:016x}{:016x}", options_.random(), options_.random());
}

}  // namespace

Dispatcher::Dispatcher(DispatcherOptions options) : options_(std::move(options)) {
  if (!options_.random) options_.random = RandomBits;
}

std::vector<std::string> Dispatcher::ReceiversOf(const Alert& alert) const {
  std::vector<std::string> names;
  for (const ReceiverConfig& receiver : options_.receivers) {
    if (Wants(options_, receiver, alert)) names.push_back(receiver.name);
  }
  return names;
}

Result<std::size_t> Dispatcher::Process(SqliteDatabase& database, std::span<const Alert> changed,
                                        std::int64_t now_ms) {
  std::size_t written = 0;
  if (changed.empty()) return written;
  for (const ReceiverConfig& receiver : options_.receivers) {
    const Result<std::size_t> rows =
        ReceiverPass(options_, receiver, database, now_ms).Run(changed);
    if (!rows) return rows;
    written += *rows;
  }
  return written;
}

}  // namespace atalaya::alertd
