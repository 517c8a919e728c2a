#include "alertd/notify/deliverer.h"

#include <sys/random.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "alertd/notify/channel.h"
#include "alertd/notify/enqueue.h"
#include "alertd/notify/notice.h"
#include "alertd/notify/outbox_store.h"
#include "alertd/notify/retry.h"
#include "alertd/notify/worker_pool.h"
#include "base/check.h"
#include "base/http_client.h"
#include "base/log.h"

namespace atalaya::alertd {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxWorkers = 8;  // Deliveries that block, at the same time.
constexpr milliseconds kLongestWait{60'000};
constexpr milliseconds kDatabaseRetry{1'000};
constexpr std::int64_t kGiveUpAfterMs = std::int64_t{3} * 24 * 3600 * 1000;
constexpr std::size_t kMaxUndelivered = 500;  // Bytes of why a fallback gets a notice.
constexpr std::int64_t kPruneEveryNs = std::int64_t{600} * 1'000'000'000;

double RandomShare() {
  std::uint32_t value = 0;
  ATALAYA_CHECK(getrandom(&value, sizeof value, 0) == sizeof value);
  return static_cast<double>(value) / 4'294'967'296.0;
}

bool Blocks(const ReceiverConfig& receiver) { return receiver.kind != ReceiverKind::kWebhook; }

std::size_t WorkersFor(const std::vector<ReceiverConfig>& receivers) {
  const auto blocking = std::count_if(receivers.begin(), receivers.end(), Blocks);
  return std::min(kMaxWorkers, static_cast<std::size_t>(blocking));
}

// How the last attempt to a receiver and target went; a change of it is worth a log line.
enum class Health { kWorking, kFailing, kRefusing };

// The way to one receiver, with at most one delivery under way.
struct Lane {
  ReceiverConfig receiver;
  std::unique_ptr<Channel> channel;
  std::optional<OutboxRow> in_flight;
  std::optional<DeliveryOutcome> outcome;  // Of `in_flight`, once known and until it is recorded.
  std::int64_t accepted_ns = 0;
  std::int64_t hold_until_ms = 0;        // The receiver's Retry-After.
  std::map<std::string, Health> health;  // By target.
};

}  // namespace

struct Deliverer::Impl {
  Impl(DelivererOptions given, SqliteDatabase connection)
      : options(std::move(given)), database(std::move(connection)) {}

  void Run();
  void Turn();
  void TakeOutcomes();
  void Begin(Lane& lane);
  void Settle(Lane& lane);
  Status Record(const Lane& lane, const AttemptEnd& end);
  const ReceiverConfig* FallbackOf(const Lane& lane) const;
  AttemptEnd Judge(Lane& lane) const;
  void Count(const Lane& lane, const AttemptEnd& end) const;
  void LogChange(Lane& lane, const AttemptEnd& end);
  void CountAndPrune();
  milliseconds UntilNext();
  void NoteDatabase(const Status& status);

  DelivererOptions options;
  SqliteDatabase database;
  std::vector<Lane> lanes;  // Not resized once deliveries refer to them by index.
  std::unique_ptr<WorkerPool> workers;
  std::unique_ptr<HttpClient> http;
  bool database_fails = false;
  std::int64_t pruned_ns = 0;

  struct Arrived {
    std::size_t lane;
    DeliveryOutcome outcome;
    std::int64_t at_ns;
  };
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  bool woken = false;
  std::vector<Arrived> arrived;
  std::thread thread;
};

void Deliverer::Impl::Run() {
  while (true) {
    Turn();
    const milliseconds wait = UntilNext();
    std::unique_lock lock(mutex);
    changed.wait_for(lock, wait, [this] { return stopping || woken; });
    woken = false;
    if (stopping) return;
  }
}

void Deliverer::Impl::Turn() {
  database_fails = false;
  TakeOutcomes();
  for (Lane& lane : lanes) {
    if (lane.outcome) Settle(lane);
    if (!lane.in_flight) Begin(lane);
  }
  CountAndPrune();
}

void Deliverer::Impl::TakeOutcomes() {
  const std::lock_guard lock(mutex);
  for (Arrived& one : arrived) {
    lanes[one.lane].outcome = std::move(one.outcome);
    lanes[one.lane].accepted_ns = one.at_ns;
  }
  arrived.clear();
}

void Deliverer::Impl::Begin(Lane& lane) {
  const std::int64_t now_ms = options.clock->NowMs();
  const bool held =
      lane.hold_until_ms > now_ms && lane.hold_until_ms <= now_ms + kLongestRetryAfter.count();
  if (held) return;
  Result<std::optional<OutboxRow>> row =
      NextDue(database, lane.receiver.name, now_ms, kLongestRetryAfter.count());
  if (!row) return NoteDatabase(Forward(row.error()));
  if (!*row) return;
  lane.in_flight = std::move(**row);
  if (lane.in_flight->stored_ns == 0) lane.in_flight->stored_ns = options.clock->SteadyNs();
  const Result<Notice> notice = DecodeNotice(lane.in_flight->content);
  if (!notice) {
    lane.outcome = DeliveryOutcome{DeliveryOutcome::Kind::kRefused, notice.error().message, {}};
    return Settle(lane);
  }
  const std::size_t index = static_cast<std::size_t>(&lane - lanes.data());
  lane.channel->Deliver(*notice, lane.in_flight->target, [this, index](DeliveryOutcome outcome) {
    const std::int64_t at_ns = options.clock->SteadyNs();
    const std::lock_guard lock(mutex);
    arrived.push_back({index, std::move(outcome), at_ns});
    woken = true;
    changed.notify_one();
  });
}

// Until the database took the outcome the lane stays busy: what was accepted is not sent again.
void Deliverer::Impl::Settle(Lane& lane) {
  const AttemptEnd end = Judge(lane);
  if (const Status recorded = Record(lane, end); !recorded) return NoteDatabase(recorded);
  Count(lane, end);
  LogChange(lane, end);
  lane.in_flight.reset();
  lane.outcome.reset();
}

// What is refused for good goes to the fallback, in the transaction that marks it failed.
Status Deliverer::Impl::Record(const Lane& lane, const AttemptEnd& end) {
  const ReceiverConfig* fallback = end.state == OutboxState::kFailed ? FallbackOf(lane) : nullptr;
  if (fallback == nullptr) return RecordAttempt(database, end);
  Result<Notice> notice = DecodeNotice(lane.in_flight->content);
  // One that cannot be read cannot be told by anybody, and a fallback's is not handed on again.
  if (!notice || !notice->undelivered.empty()) return RecordAttempt(database, end);
  notice->undelivered =
      CutText(fmt::format("{}: {}", lane.receiver.name, end.error), kMaxUndelivered);
  notice->receiver = fallback->name;
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
  if (!transaction) return Forward(transaction.error());
  if (Status recorded = RecordAttempt(database, end); !recorded) return recorded;
  const EnqueueTimes times{end.now_ms, lane.in_flight->event_ns, lane.in_flight->evaluated_ns};
  for (const std::string& target : TargetsOf(*fallback)) {
    if (Status queued = EnqueueNotice(database, *fallback, target, *notice, times); !queued)
      return queued;
  }
  return transaction->Commit();
}

const ReceiverConfig* Deliverer::Impl::FallbackOf(const Lane& lane) const {
  if (lane.receiver.fallback.empty()) return nullptr;
  const auto found =
      std::find_if(options.receivers.begin(), options.receivers.end(),
                   [&](const auto& one) { return one.name == lane.receiver.fallback; });
  return found == options.receivers.end() ? nullptr : &*found;
}

AttemptEnd Deliverer::Impl::Judge(Lane& lane) const {
  const OutboxRow& row = *lane.in_flight;
  const DeliveryOutcome& outcome = *lane.outcome;
  AttemptEnd end;
  end.id = row.id;
  end.now_ms = options.clock->NowMs();
  end.stored_ns = row.stored_ns;
  end.error = outcome.error;
  switch (outcome.kind) {
    case DeliveryOutcome::Kind::kAccepted:
      end.state = OutboxState::kSent;
      end.accepted_ns = lane.accepted_ns;
      return end;
    case DeliveryOutcome::Kind::kRefused:
      end.state = OutboxState::kFailed;
      return end;
    case DeliveryOutcome::Kind::kRetry:
      break;
  }
  if (end.now_ms - row.created_ms > kGiveUpAfterMs) {
    end.state = OutboxState::kFailed;
    end.error = fmt::format("given up after 3 days: {}", outcome.error);
    return end;
  }
  const milliseconds delay = RetryDelay(row.attempts + 1, options.random(), outcome.retry_after);
  end.next_attempt_ms = end.now_ms + delay.count();
  if (outcome.retry_after) lane.hold_until_ms = end.next_attempt_ms;
  return end;
}

void Deliverer::Impl::Count(const Lane& lane, const AttemptEnd& end) const {
  if (end.state == OutboxState::kSent) {
    options.counters->AddSent(lane.receiver.name);
    OutboxRow row = *lane.in_flight;
    row.accepted_ns = end.accepted_ns;
    options.lag->Add(row);
  }
  if (end.state == OutboxState::kFailed) options.counters->AddFailed(lane.receiver.name);
  if (end.state == OutboxState::kWaiting) options.counters->AddRetried(lane.receiver.name);
}

void Deliverer::Impl::LogChange(Lane& lane, const AttemptEnd& end) {
  const std::string& target = lane.in_flight->target;
  Health now = Health::kWorking;
  if (end.state == OutboxState::kWaiting) now = Health::kFailing;
  if (end.state == OutboxState::kFailed) now = Health::kRefusing;
  Health& before = lane.health[target];
  if (now == before) return;
  before = now;
  const std::string to = target.empty() ? "" : fmt::format(", {}", target);
  switch (now) {
    case Health::kWorking:
      LogInfo("receiver \"{}\"{}: takes notices again", lane.receiver.name, to);
      break;
    case Health::kFailing:
      LogWarning("receiver \"{}\"{}: {}; trying again", lane.receiver.name, to, end.error);
      break;
    case Health::kRefusing:
      LogError("receiver \"{}\"{}: a notice failed for good: {}", lane.receiver.name, to,
               end.error);
      break;
  }
}

void Deliverer::Impl::CountAndPrune() {
  const Result<std::map<std::string, std::uint64_t>> waiting = CountWaiting(database);
  if (!waiting) return NoteDatabase(Forward(waiting.error()));
  options.counters->SetWaiting(*waiting);
  const std::int64_t now_ns = options.clock->SteadyNs();
  if (pruned_ns != 0 && now_ns - pruned_ns < kPruneEveryNs) return;
  pruned_ns = now_ns;
  HistoryLimits limits;
  limits.before_ms = options.clock->NowMs() - kOutboxHistoryMs;
  const Result<std::int64_t> pruned = PruneHistory(database, limits);
  if (!pruned) return NoteDatabase(Forward(pruned.error()));
  if (*pruned == static_cast<std::int64_t>(limits.at_a_time)) pruned_ns = 0;  // There may be more.
}

milliseconds Deliverer::Impl::UntilNext() {
  milliseconds wait = kLongestWait;
  const std::int64_t now_ms = options.clock->NowMs();
  for (const Lane& lane : lanes) {
    if (lane.in_flight) continue;
    const Result<std::optional<std::int64_t>> due = NextDueMs(database, lane.receiver.name);
    if (!due) {
      NoteDatabase(Forward(due.error()));
    } else if (*due) {
      wait = std::min(wait, milliseconds(std::max(**due, lane.hold_until_ms) - now_ms));
    }
  }
  // After a failure of the database nothing says when; and it must not be asked in a tight loop.
  if (database_fails) return kDatabaseRetry;
  return std::max(wait, milliseconds(0));
}

void Deliverer::Impl::NoteDatabase(const Status& status) {
  if (!database_fails) LogError("notices: {}; trying again", status.error().message);
  database_fails = true;
}

Deliverer::Deliverer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Deliverer>> Deliverer::Start(DelivererOptions options,
                                                    SqliteDatabase database) {
  ATALAYA_CHECK(options.counters != nullptr && options.lag != nullptr);
  if (!options.random) options.random = RandomShare;
  std::set<std::string> names;
  for (const ReceiverConfig& receiver : options.receivers) {
    names.insert(receiver.name);
    options.counters->Declare(receiver.name);
  }
  const Result<std::map<std::string, std::uint64_t>> dropped =
      DropOrphans(database, names, options.clock->NowMs());
  if (!dropped) return Forward(dropped.error());
  for (const auto& [receiver, count] : *dropped) {
    LogWarning("receiver \"{}\" is no longer configured: {} waiting notices dropped", receiver,
               count);
    options.counters->AddDropped(receiver, count);
  }

  auto impl = std::make_unique<Impl>(std::move(options), std::move(database));
  impl->workers = std::make_unique<WorkerPool>(WorkersFor(impl->options.receivers));
  impl->http = std::make_unique<HttpClient>();
  const ChannelContext context{impl->http.get(), impl->workers.get(), impl->options.clock,
                               impl->options.external_url};
  for (const ReceiverConfig& receiver : impl->options.receivers) {
    Lane& lane = impl->lanes.emplace_back();
    lane.receiver = receiver;
    lane.channel = MakeChannel(receiver, context);
  }
  impl->thread = std::thread([running = impl.get()] { running->Run(); });
  return std::unique_ptr<Deliverer>(new Deliverer(std::move(impl)));
}

Deliverer::~Deliverer() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_one();
  impl_->thread.join();
  impl_->workers.reset();
  impl_->http.reset();
  // What was accepted meanwhile must not be sent again after the next start; a failure says nothing
  // here, since stopping may have caused it.
  impl_->TakeOutcomes();
  for (Lane& lane : impl_->lanes) {
    if (lane.outcome && lane.outcome->kind == DeliveryOutcome::Kind::kAccepted) impl_->Settle(lane);
  }
}

void Deliverer::Wake() {
  const std::lock_guard lock(impl_->mutex);
  impl_->woken = true;
  impl_->changed.notify_one();
}

}  // namespace atalaya::alertd
