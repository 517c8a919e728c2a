#include "alertd/notify/posted_alerts.h"

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>

#include "alertd/notify/notice.h"
#include "promql/parser.h"

namespace atalaya::alertd {

const std::string_view kPostedAlertsMigration1 = R"sql(
CREATE TABLE posted_alert (
  fingerprint INTEGER PRIMARY KEY,
  labels TEXT NOT NULL,
  annotations TEXT NOT NULL,
  starts_ms INTEGER NOT NULL,
  ends_ms INTEGER NOT NULL,
  by_timeout INTEGER NOT NULL,
  generator_url TEXT NOT NULL
);
)sql";

namespace {

// "" where the alert is good.
std::string PostedFault(const PostedAlert& alert) {
  if (alert.labels.empty()) return "an alert needs a label with a value";
  std::size_t bytes = alert.generator_url.size();
  std::size_t pairs = 0;
  std::string fault;
  const auto check = [&](const auto& name, const auto& value) {
    bytes += name.size() + value.size();
    ++pairs;
    if (!promql::IsBareLabelName(name))
      fault = fmt::format("\"{}\" is no name of a label", CutText(name, 100));
  };
  for (const auto& [name, value] : alert.labels) check(name, value);
  for (const auto& [name, value] : alert.annotations) check(name, value);
  if (bytes > kMaxPostedBytes || pairs > 2 * kMaxPairsPerAlert)
    return fmt::format("an alert may have {} bytes and {} labels and annotations", kMaxPostedBytes,
                       2 * kMaxPairsPerAlert);
  if (alert.ends_ms < alert.starts_ms) return "endsAt: it must not be before startsAt";
  return fault;
}

Alert AlertOf(const PostedAlert& posted, std::int64_t now_ms) {
  Alert alert;
  alert.labels = posted.labels;
  alert.annotations = posted.annotations;
  alert.generator_url = posted.generator_url;
  alert.active_since_ms = posted.starts_ms;
  alert.fired_at_ms = posted.starts_ms;
  alert.state = posted.ends_ms > now_ms ? AlertState::kFiring : AlertState::kInactive;
  if (alert.state == AlertState::kInactive) alert.resolved_at_ms = posted.ends_ms;
  return alert;
}

}  // namespace

Result<std::unique_ptr<PostedAlerts>> PostedAlerts::Open(SqliteDatabase database,
                                                         const Clock& clock) {
  std::unique_ptr<PostedAlerts> alerts(new PostedAlerts(std::move(database), clock));
  if (Status loaded = alerts->Load(); !loaded) return Forward(loaded.error());
  return alerts;
}

Status PostedAlerts::Load() {
  if (Status pruned = Prune(clock_.NowMs()); !pruned) return pruned;
  Result<SqliteStatement> select = database_.Prepare(
      "SELECT labels, annotations, starts_ms, ends_ms, by_timeout, generator_url FROM "
      "posted_alert");
  if (!select) return Forward(select.error());
  while (true) {
    const Result<bool> more = select->Step();
    if (!more) return Forward(more.error());
    if (!*more) return {};
    PostedAlert alert;
    Result<telemetry::Labels> labels = DecodeLabels(select->Text(0));
    const Result<telemetry::Labels> annotations = DecodeLabels(select->Text(1));
    if (!labels || !annotations)
      return Fail(ErrorCode::kDamaged, "state.db: a posted alert's labels are damaged");
    alert.labels = std::move(*labels);
    alert.annotations = {annotations->begin(), annotations->end()};
    alert.starts_ms = select->Integer(2);
    alert.ends_ms = select->Integer(3);
    alert.by_timeout = select->Integer(4) != 0;
    alert.generator_url = select->Text(5);
    alerts_.emplace(alert.labels.Hash(), std::move(alert));
  }
}

// Forgets, in the database and here, what ended long ago.
Status PostedAlerts::Prune(std::int64_t now_ms) {
  const std::int64_t before_ms = now_ms - kEndedPostedKeptMs;
  Result<SqliteStatement> remove = database_.Prepare("DELETE FROM posted_alert WHERE ends_ms < ?1");
  if (!remove) return Forward(remove.error());
  if (Status removed = remove->Bind(1, before_ms).Run(); !removed) return removed;
  const std::lock_guard lock(mutex_);
  std::erase_if(alerts_, [before_ms](const auto& pair) { return pair.second.ends_ms < before_ms; });
  return {};
}

Status PostedAlerts::Save(const PostedAlert& alert) {
  Result<SqliteStatement> insert = database_.Prepare(
      "INSERT OR REPLACE INTO posted_alert (fingerprint, labels, annotations, starts_ms, ends_ms, "
      "by_timeout, generator_url) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  if (!insert) return Forward(insert.error());
  const std::string labels = EncodeLabels(alert.labels);
  const std::string annotations = EncodeLabels(telemetry::Labels(
      std::vector<telemetry::Labels::Pair>(alert.annotations.begin(), alert.annotations.end())));
  return insert->Bind(1, std::bit_cast<std::int64_t>(alert.labels.Hash()))
      .Bind(2, std::string_view(labels))
      .Bind(3, std::string_view(annotations))
      .Bind(4, alert.starts_ms)
      .Bind(5, alert.ends_ms)
      .Bind(6, std::int64_t{alert.by_timeout})
      .Bind(7, std::string_view(alert.generator_url))
      .Run();
}

// `alert` with what is known of its episode.
PostedAlert PostedAlerts::Merge(PostedAlert alert, std::int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  const auto found = alerts_.find(alert.labels.Hash());
  if (found == alerts_.end()) return alert;
  const PostedAlert& known = found->second;
  const bool overlaps = alert.starts_ms <= known.ends_ms && known.starts_ms <= alert.ends_ms;
  const bool ended = known.ends_ms <= now_ms;
  if (!overlaps || (ended && alert.ends_ms > now_ms)) return alert;
  alert.starts_ms = known.starts_ms;
  const bool keeps_end = alert.ends_ms <= now_ms ? ended : !known.by_timeout;
  if (keeps_end && known.ends_ms > alert.ends_ms) {
    alert.ends_ms = known.ends_ms;
    alert.by_timeout = known.by_timeout;
  }
  return alert;
}

Status PostedAlerts::Post(std::vector<PostedAlert> alerts) {
  const std::lock_guard lock(write_mutex_);
  const std::int64_t now_ms = clock_.NowMs();
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database_);
  if (!transaction) return Forward(transaction.error());
  if (Status pruned = Prune(now_ms); !pruned) return pruned;
  std::map<std::uint64_t, PostedAlert> taken;
  std::string fault;
  std::size_t refused = 0, new_ones = 0;
  bool full = false;
  for (PostedAlert& alert : alerts) {
    const std::uint64_t fingerprint = alert.labels.Hash();
    std::string wrong = PostedFault(alert);
    const bool is_new = !alerts_.contains(fingerprint) && !taken.contains(fingerprint);
    if (wrong.empty() && is_new && alert.ends_ms <= now_ms) continue;  // Nobody heard of it.
    if (wrong.empty() && is_new && alerts_.size() + new_ones >= kMaxPostedAlerts) {
      wrong = fmt::format("there are {} posted alerts already", kMaxPostedAlerts);
      full = true;
    }
    if (!wrong.empty()) {
      ++refused;
      fault = std::move(wrong);
      continue;
    }
    if (is_new) ++new_ones;
    PostedAlert merged = Merge(std::move(alert), now_ms);
    if (Status saved = Save(merged); !saved) return saved;
    taken.insert_or_assign(fingerprint, std::move(merged));
  }
  if (Status committed = transaction->Commit(); !committed) return committed;
  accepted_ += alerts.size() - refused;
  refused_ += refused;
  {
    const std::lock_guard locked(mutex_);
    for (auto& [fingerprint, alert] : taken)
      alerts_.insert_or_assign(fingerprint, std::move(alert));
    ++revision_;
  }
  if (refused == 0) return {};
  return Fail(full ? ErrorCode::kLimit : ErrorCode::kInvalid,
              "{} of {} alerts refused; the last: {}", refused, alerts.size(), fault);
}

void PostedAlerts::AddTo(AlertsNow& alerts, std::int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [fingerprint, posted] : alerts_) {
    Alert alert = AlertOf(posted, now_ms);
    (alert.state == AlertState::kFiring ? alerts.firing : alerts.ended).push_back(std::move(alert));
  }
}

bool PostedAlerts::TakeChanged() {
  const std::lock_guard lock(mutex_);
  const std::int64_t now_ms = clock_.NowMs();
  const std::int64_t since_ms = std::exchange(seen_ms_, now_ms);
  if (std::exchange(seen_revision_, revision_) != revision_ || now_ms < since_ms) return true;
  return std::any_of(alerts_.begin(), alerts_.end(), [&](const auto& pair) {
    return pair.second.ends_ms > since_ms && pair.second.ends_ms <= now_ms;
  });
}

std::optional<std::int64_t> PostedAlerts::NextEndMs() const {
  const std::lock_guard lock(mutex_);
  std::optional<std::int64_t> next;
  for (const auto& [fingerprint, alert] : alerts_) {
    if (alert.ends_ms > seen_ms_) next = std::min(next.value_or(alert.ends_ms), alert.ends_ms);
  }
  return next;
}

PostedFigures PostedAlerts::Figures() const {
  const std::int64_t now_ms = clock_.NowMs();
  const std::lock_guard lock(mutex_);
  const auto firing = std::count_if(alerts_.begin(), alerts_.end(), [now_ms](const auto& pair) {
    return pair.second.ends_ms > now_ms;
  });
  return {accepted_, refused_, static_cast<std::size_t>(firing)};
}

}  // namespace atalaya::alertd
