#include "alertd/notify/dispatcher.h"

#include <sys/random.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "alertd/notify/enqueue.h"
#include "alertd/notify/group_store.h"
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

using ByFingerprint = std::unordered_map<std::uint64_t, const Alert*>;

ByFingerprint IndexAlerts(const std::vector<Alert>& alerts) {
  ByFingerprint index;
  for (const Alert& alert : alerts) index.emplace(alert.Fingerprint(), &alert);
  return index;
}

const Alert* FindAlert(const ByFingerprint& index, std::uint64_t fingerprint) {
  const auto found = index.find(fingerprint);
  return found == index.end() ? nullptr : found->second;
}

struct Group {
  GroupRow row;
  const Route* route = nullptr;  // Null where it is no more.
  std::vector<const Alert*> firing;
  bool is_new = false;
  bool is_urgent = false;  // An immediate alert may be news.
};

// What one receiver is to hear of one group.
struct News {
  std::vector<const Alert*> firing;  // All that it may hear of,
  std::vector<const Alert*> fresh;   // and those among them that it does not know.
  std::vector<ToldAlert> ended;
  std::size_t still_known = 0;  // That it was told of, and that have not ended.
};

// One Process call.
class Pass {
 public:
  Pass(const DispatcherOptions& options, SqliteDatabase& database, const AlertsNow& alerts,
       std::int64_t now_ms)
      : options_(options),
        routing_(*options.routing),
        database_(database),
        alerts_(alerts),
        now_ms_(now_ms),
        firing_(IndexAlerts(alerts.firing)),
        resolved_(IndexAlerts(alerts.resolved)),
        ended_(IndexAlerts(alerts.ended)),
        inhibitions_(routing_.inhibit_rules, alerts.firing) {}

  Result<std::size_t> Run();
  std::optional<std::int64_t> next_due_ms() const { return next_due_ms_; }

 private:
  Status FindGroups();
  void PlaceFiring(const Alert& alert, const Route& route);
  Status Look(Group& group);
  bool IsDue(const Group& group) const;
  std::chrono::milliseconds IntervalOf(const Group& group) const;
  Result<bool> Flush(const Group& group, bool due);
  bool IsUrgent(const News& news) const;
  Result<std::vector<std::string>> ReceiversOf(const Group& group);
  Result<News> FindNews(const Group& group, const ReceiverConfig& receiver);
  bool IsQuiet(const Alert& alert);
  Result<std::size_t> Tell(const Group& group, const ReceiverConfig& receiver, const News& news);
  Status Remember(const Group& group, const ReceiverConfig& receiver, const News& news);
  Result<NoticeAlert> HowItEnded(const ToldAlert& told) const;
  std::int64_t EventNs(const News& news) const;
  Status DropBeyondLimit();

  const DispatcherOptions& options_;
  const Routing& routing_;
  SqliteDatabase& database_;
  const AlertsNow& alerts_;
  const std::int64_t now_ms_;
  const ByFingerprint firing_, resolved_, ended_;
  const Inhibitions inhibitions_;
  std::unordered_map<const Alert*, bool> quiet_;  // As far as asked.
  std::map<std::string, Group> groups_;           // By key.
  std::set<std::string> written_to_;              // Receivers.
  std::size_t written_ = 0;                       // Rows.
  std::optional<std::int64_t> next_due_ms_;
};

Result<std::size_t> Pass::Run() {
  if (Status found = FindGroups(); !found) return Forward(found.error());
  for (auto& [key, group] : groups_) {
    if (Status looked = Look(group); !looked) return Forward(looked.error());
  }
  if (Status dropped = DropBeyondLimit(); !dropped) return Forward(dropped.error());
  return written_;
}

Status Pass::FindGroups() {
  Result<std::vector<GroupRow>> rows = LoadGroups(database_);
  if (!rows) return Forward(rows.error());
  for (GroupRow& row : *rows) groups_[row.key].row = row;
  for (const Alert& alert : alerts_.resolved) {
    const Result<std::vector<std::string>> keys = MarkEnded(database_, alert);
    if (!keys) return Forward(keys.error());
    for (const std::string& key : *keys) {
      const auto group = groups_.find(key);
      if (group != groups_.end() && alert.immediate) group->second.is_urgent = true;
    }
  }
  for (const Alert& alert : alerts_.firing) {
    if (FindAlert(firing_, alert.Fingerprint()) != &alert) continue;  // There is one like it.
    for (const Route* route : RoutesOf(routing_, alert.labels)) PlaceFiring(alert, *route);
  }
  for (auto& [key, group] : groups_) {
    if (group.firing.empty()) group.route = RouteOfGroup(routing_, key, group.row.labels);
  }
  return {};
}

void Pass::PlaceFiring(const Alert& alert, const Route& route) {
  telemetry::Labels labels = GroupLabels(route, alert.labels);
  std::string key = GroupKey(route, labels);
  const auto [place, is_new] = groups_.try_emplace(key);
  Group& group = place->second;
  const std::int64_t wait_ms = route.group_wait.count();
  if (is_new) {
    group.row = {std::move(key), std::move(labels), now_ms_ + wait_ms};
    group.is_new = true;
  }
  // One that has fired for so long already has waited enough.
  if (group.is_new && alert.fired_at_ms + wait_ms <= now_ms_) group.row.next_flush_ms = now_ms_;
  group.route = &route;
  group.firing.push_back(&alert);
  group.is_urgent = group.is_urgent || alert.immediate;
}

std::chrono::milliseconds Pass::IntervalOf(const Group& group) const {
  return (group.route != nullptr ? *group.route : routing_.root).group_interval;
}

bool Pass::IsDue(const Group& group) const {
  // A time further ahead than any wait means that the clock was set back.
  const std::chrono::milliseconds wait =
      group.route != nullptr ? group.route->group_wait : std::chrono::milliseconds(0);
  const std::int64_t farthest_ms = now_ms_ + std::max(wait, IntervalOf(group)).count();
  return group.row.next_flush_ms <= now_ms_ || group.row.next_flush_ms > farthest_ms;
}

// Flushes the group where it is time.
Status Pass::Look(Group& group) {
  const bool due = IsDue(group);
  bool changed = group.is_new;
  if (due || group.is_urgent) {
    const std::size_t before = written_;
    const Result<bool> is_known = Flush(group, due);
    if (!is_known) return Forward(is_known.error());
    if (group.firing.empty() && !*is_known) return DeleteGroup(database_, group.row.key);
    if (due || written_ > before) {
      group.row.next_flush_ms = now_ms_ + IntervalOf(group).count();
      changed = true;
    }
  }
  const std::int64_t next_ms = group.row.next_flush_ms;
  next_due_ms_ = std::min(next_due_ms_.value_or(next_ms), next_ms);
  return changed ? SaveGroup(database_, group.row) : Status();
}

// Tells each receiver what is new, or where the group is not due what is immediate. Whether any
// knows of an alert of the group, then.
Result<bool> Pass::Flush(const Group& group, bool due) {
  const Result<std::vector<std::string>> names = ReceiversOf(group);
  if (!names) return Forward(names.error());
  const bool muted = group.route != nullptr && !MutedBy(routing_, *group.route, now_ms_).empty();
  bool is_known = false;
  for (const std::string& name : *names) {
    const ReceiverConfig* const receiver = FindReceiver(routing_, name);
    if (receiver == nullptr) continue;  // The deliverer forgets what it was told.
    const Result<News> news = FindNews(group, *receiver);
    if (!news) return Forward(news.error());
    const bool waits = muted || (!due && !IsUrgent(*news));
    is_known = is_known || news->still_known > 0 || (waits && !news->ended.empty());
    if (waits) continue;
    const Result<std::size_t> rows = Tell(group, *receiver, *news);
    if (!rows) return Forward(rows.error());
    written_ += *rows;
  }
  return is_known;
}

bool Pass::IsUrgent(const News& news) const {
  const auto immediate = [](const Alert* alert) { return alert != nullptr && alert->immediate; };
  return std::any_of(news.fresh.begin(), news.fresh.end(), immediate) ||
         std::any_of(news.ended.begin(), news.ended.end(), [&](const ToldAlert& told) {
           return immediate(FindAlert(resolved_, told.fingerprint));
         });
}

// Those that the route names, and those that were told when it named others.
Result<std::vector<std::string>> Pass::ReceiversOf(const Group& group) {
  Result<std::vector<std::string>> known = LoadToldReceivers(database_, group.row.key);
  if (!known || group.route == nullptr) return known;
  std::vector<std::string> names = group.route->receivers;
  for (std::string& name : *known) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(std::move(name));
  }
  return names;
}

bool Pass::IsQuiet(const Alert& alert) {
  const auto [place, is_new] = quiet_.try_emplace(&alert, false);
  if (is_new) {
    place->second =
        inhibitions_.InhibitedBy(alert.labels).has_value() ||
        (options_.silences != nullptr && !options_.silences->Covering(alert.labels).empty());
  }
  return place->second;
}

Result<News> Pass::FindNews(const Group& group, const ReceiverConfig& receiver) {
  Result<std::vector<ToldAlert>> told = LoadTold(database_, receiver.name, group.row.key);
  if (!told) return Forward(told.error());
  News news;
  std::map<std::uint64_t, std::int64_t> known;  // Episodes by fingerprint.
  for (ToldAlert& each : *told) {
    const Alert* const now = FindAlert(firing_, each.fingerprint);
    if (each.ended_ms == 0 && now != nullptr && now->fired_at_ms == each.fired_at_ms) {
      known.emplace(each.fingerprint, each.fired_at_ms);
    } else {
      news.ended.push_back(std::move(each));
    }
  }
  news.still_known = known.size();
  const auto* const receivers = group.route != nullptr ? &group.route->receivers : nullptr;
  if (receivers == nullptr ||
      std::find(receivers->begin(), receivers->end(), receiver.name) == receivers->end())
    return news;
  for (const Alert* alert : group.firing) {
    if (!Wants(routing_, receiver, alert->labels) || IsQuiet(*alert)) continue;
    news.firing.push_back(alert);
    if (!known.contains(alert->Fingerprint())) news.fresh.push_back(alert);
  }
  news.still_known += news.fresh.size();
  return news;
}

// How an alert ended that a receiver was told of.
Result<NoticeAlert> Pass::HowItEnded(const ToldAlert& told) const {
  Result<NoticeAlert> alert = DecodeNoticeAlert(told.alert);
  if (!alert) return alert;
  const Alert* const end = told.ended_ms == 0 ? FindAlert(ended_, told.fingerprint) : nullptr;
  if (end != nullptr) *alert = MakeNoticeAlert(*end);
  alert->firing = false;
  alert->starts_ms = told.fired_at_ms;  // The episode that the receiver knows.
  if (alert->ends_ms == 0) alert->ends_ms = now_ms_;
  return alert;
}

// When the earliest event was seen that this notice comes of without a wait; 0 where there is none.
std::int64_t Pass::EventNs(const News& news) const {
  std::int64_t earliest_ns = 0;
  const auto take = [&earliest_ns](const Alert& alert) {
    if (alert.event_ns != 0 && (earliest_ns == 0 || alert.event_ns < earliest_ns))
      earliest_ns = alert.event_ns;
  };
  for (const Alert* alert : news.fresh) {
    if (alert->fired_at_ms == now_ms_) take(*alert);
  }
  for (const ToldAlert& told : news.ended) {
    if (const Alert* const alert = FindAlert(resolved_, told.fingerprint)) take(*alert);
  }
  return earliest_ns;
}

Result<std::size_t> Pass::Tell(const Group& group, const ReceiverConfig& receiver,
                               const News& news) {
  Result<std::optional<ToldGroup>> known = LoadToldGroup(database_, receiver.name, group.row.key);
  if (!known) return Forward(known.error());
  const bool repeat = *known && !news.firing.empty() && group.route != nullptr &&
                      now_ms_ - (*known)->told_ms >= group.route->repeat_interval.count();
  const bool tells_ends = !news.ended.empty() && receiver.send_resolved;
  if (Status remembered = Remember(group, receiver, news); !remembered)
    return Forward(remembered.error());
  Notice notice;
  notice.id = fmt::format("msg_{:016x}{:016x}", options_.random(), options_.random());
  const bool tell = !news.fresh.empty() || tells_ends || repeat;
  ToldGroup told = known->value_or(ToldGroup{notice.id, now_ms_});
  if (tell) told.told_ms = now_ms_;
  Status kept;
  if (news.still_known == 0) {
    if (*known) kept = DeleteToldGroup(database_, receiver.name, group.row.key);
  } else if (tell) {
    kept = SaveToldGroup(database_, receiver.name, group.row.key, told);
  }
  if (!kept) return Forward(kept.error());
  if (!tell) return 0;

  notice.thread_id = told.thread_id;
  notice.receiver = receiver.name;
  notice.group_key = group.row.key;
  notice.group_labels = group.row.labels;
  notice.created_ms = now_ms_;
  for (const Alert* alert : news.firing) notice.alerts.push_back(MakeNoticeAlert(*alert));
  for (const ToldAlert& each : news.ended) {
    if (!tells_ends) break;
    Result<NoticeAlert> ended = HowItEnded(each);
    if (!ended) return Forward(ended.error());
    notice.alerts.push_back(std::move(*ended));
  }
  ArrangeAlerts(notice);
  const std::vector<std::string> targets = TargetsOf(receiver);
  const EnqueueTimes times{now_ms_, EventNs(news), options_.clock->SteadyNs()};
  for (const std::string& target : targets) {
    if (Status done = EnqueueNotice(database_, receiver, target, notice, times); !done)
      return Forward(done.error());
  }
  written_to_.insert(receiver.name);
  return targets.size();
}

// Keeps what the receiver knows from now on.
Status Pass::Remember(const Group& group, const ReceiverConfig& receiver, const News& news) {
  for (const ToldAlert& ended : news.ended) {
    if (Status done = DeleteTold(database_, receiver.name, group.row.key, ended.fingerprint); !done)
      return done;
  }
  for (const Alert* alert : news.fresh) {
    if (Status done = SaveTold(database_, receiver.name, group.row.key, *alert); !done) return done;
  }
  return {};
}

Status Pass::DropBeyondLimit() {
  const std::size_t limit = options_.max_waiting_per_receiver;
  for (const std::string& receiver : written_to_) {
    const Result<std::int64_t> dropped = DropOldest(database_, receiver, limit, now_ms_);
    if (!dropped) return Forward(dropped.error());
    if (*dropped == 0) continue;
    LogError("receiver \"{}\": {} oldest notices dropped: more than {} wait", receiver, *dropped,
             limit);
    if (options_.counters != nullptr)
      options_.counters->AddDropped(receiver, static_cast<std::uint64_t>(*dropped));
  }
  return {};
}

}  // namespace

Dispatcher::Dispatcher(DispatcherOptions options) : options_(std::move(options)) {
  if (!options_.random) options_.random = RandomBits;
}

Result<std::size_t> Dispatcher::Process(SqliteDatabase& database, const AlertsNow& alerts,
                                        std::int64_t now_ms) {
  Pass pass(options_, database, alerts, now_ms);
  const Result<std::size_t> written = pass.Run();
  if (written) next_due_ms_ = pass.next_due_ms();
  return written;
}

}  // namespace atalaya::alertd
