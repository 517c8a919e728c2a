#include "alertd/rules/rule_runner.h"

#include <malloc.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"

namespace atalaya::alertd {

struct RuleRunner::Impl {
  using Steady = std::chrono::steady_clock;

  struct NewRules {
    std::vector<Rule> rules;
    std::optional<DrillConfig> drill;
  };

  void Run();
  void EvaluateOnce(std::int64_t event_ns, bool tick, std::optional<NewRules> replacement);
  Steady::time_point NextOwn() const;

  std::unique_ptr<RuleEngine> engine;  // The thread's while `evaluating`, else under the mutex.
  std::function<bool()> settled;
  const Clock* clock = &SystemClock();
  bool new_rules = true;    // Not evaluated since every target was looked at.
  std::string store_error;  // What the last evaluation could not store, or "".

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  bool wanted = false;  // An evaluation of all rules.
  bool asked = false;   // One of what is due.
  std::int64_t event_ns = 0;
  std::chrono::milliseconds interval{0};
  std::optional<NewRules> replacement;
  bool evaluating = false;
  std::condition_variable ended;  // An evaluation.
  bool snapshot_is_old = true;
  std::shared_ptr<const RulesSnapshot> snapshot = std::make_shared<const RulesSnapshot>();
  RuleTotals totals;
  std::thread thread;
};

void RuleRunner::Impl::Run() {
  Steady::time_point next = Steady::now();
  Steady::time_point next_own = NextOwn();
  std::unique_lock lock(mutex);
  while (!stopping) {
    changed.wait_until(lock, std::min(next, next_own), [&] { return stopping || wanted || asked; });
    if (stopping) return;
    const bool tick = wanted || Steady::now() >= next;
    if (!tick && !asked && Steady::now() < next_own) continue;
    if (tick && !wanted) next = std::max(next + interval, Steady::now());
    wanted = asked = false;
    const std::int64_t event = std::exchange(event_ns, 0);
    std::optional<NewRules> rules = std::exchange(replacement, std::nullopt);
    evaluating = true;
    lock.unlock();
    EvaluateOnce(event, tick, std::move(rules));
    next_own = NextOwn();
    lock.lock();
    totals = engine->Totals();
    evaluating = false;
    snapshot_is_old = true;
    ended.notify_all();
  }
}

// When the engine is due before the interval is over.
RuleRunner::Impl::Steady::time_point RuleRunner::Impl::NextOwn() const {
  if (!store_error.empty()) return Steady::time_point::max();  // The next interval tries again.
  const std::optional<std::int64_t> due_ms = engine->NextDueMs();
  if (!due_ms) return Steady::time_point::max();
  return Steady::now() +
         std::chrono::milliseconds(std::max<std::int64_t>(0, *due_ms - clock->NowMs()));
}

void RuleRunner::Impl::EvaluateOnce(std::int64_t event, bool tick, std::optional<NewRules> rules) {
  if (rules) {
    engine->ReplaceRules(std::move(rules->rules), std::move(rules->drill));
    rules.reset();
    new_rules = true;
  }
  // Asked first: what is looked at during the evaluation is not in it.
  const bool is_settled = settled();
  const Status stored = engine->Evaluate({clock->NowMs(), event, is_settled, tick});
  const std::string error = stored ? "" : stored.error().message;
  if (error != store_error) {
    if (error.empty()) {
      LogInfo("alerts are stored again");
    } else {
      LogError("alerts cannot be stored, so nobody is told of them: {}", error);
    }
  }
  store_error = error;
  // To read thousands of rules, and to begin their alerts, takes several times the memory that they
  // need.
  if (is_settled && std::exchange(new_rules, false)) malloc_trim(0);
}

RuleRunner::RuleRunner(std::unique_ptr<RuleEngine> engine, std::chrono::milliseconds interval,
                       std::function<bool()> settled)
    : impl_(std::make_unique<Impl>()) {
  impl_->engine = std::move(engine);
  impl_->settled = std::move(settled);
  impl_->interval = interval;
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
}

RuleRunner::~RuleRunner() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_one();
  impl_->thread.join();
}

void RuleRunner::Wake(std::int64_t event_ns) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->wanted = true;
    if (impl_->event_ns == 0) impl_->event_ns = event_ns;  // The oldest counts for the lag.
  }
  impl_->changed.notify_one();
}

void RuleRunner::AskWhatIsDue() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->asked = true;
  }
  impl_->changed.notify_one();
}

void RuleRunner::ReplaceRules(std::vector<Rule> rules, std::optional<DrillConfig> drill,
                              std::chrono::milliseconds interval) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->replacement = Impl::NewRules{std::move(rules), std::move(drill)};
    impl_->interval = interval;
    impl_->wanted = true;
  }
  impl_->changed.notify_one();
}

std::shared_ptr<const RulesSnapshot> RuleRunner::Snapshot() const {
  std::unique_lock lock(impl_->mutex);
  const bool at_rest = impl_->ended.wait_for(lock, kSnapshotWait,
                                             [impl = impl_.get()] { return !impl->evaluating; });
  if (at_rest && std::exchange(impl_->snapshot_is_old, false)) {
    RulesSnapshot latest = impl_->engine->Snapshot();
    latest.interval = impl_->interval;
    impl_->snapshot = std::make_shared<const RulesSnapshot>(std::move(latest));
  }
  return impl_->snapshot;
}

RuleTotals RuleRunner::Totals() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->totals;
}

}  // namespace atalaya::alertd
