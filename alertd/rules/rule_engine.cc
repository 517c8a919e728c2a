#include "alertd/rules/rule_engine.h"

#include <algorithm>
#include <bit>
#include <set>

#include "alertd/rules/down_targets.h"
#include "alertd/rules/selectors.h"
#include "alertd/rules/verdict.h"
#include "alertd/rules/written_series.h"
#include "base/log.h"
#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

using telemetry::LabelledSample;
using telemetry::Labels;
using telemetry::Series;
using telemetry::SeriesSample;

// Changes that wait for a database that fails; beyond it the oldest are given up, and counted.
constexpr std::size_t kMaxUnstoredChanges = 100'000;

// "A", and "A#2" for the second rule of that name: what tells stored alerts whose they are.
std::vector<std::string> RuleKeys(const std::vector<Rule>& rules) {
  std::map<std::string, int> seen;
  std::vector<std::string> keys;
  for (const Rule& rule : rules) {
    const int count = ++seen[rule.Name()];
    keys.push_back(count == 1 ? rule.Name() : fmt::format("{}#{}", rule.Name(), count));
  }
  return keys;
}

// Whether the expression may read what rules write: a selector without a plain name may.
bool ReadsAny(const promql::ExprPtr& expr, const std::set<std::string>& written) {
  for (const promql::Selector* selector : SelectorsOf(expr)) {
    const std::string metric = MetricOf(*selector);
    if (metric.empty() || written.contains(metric)) return true;
  }
  return false;
}

bool SameBits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// What a rule makes of one sample.
struct Verdict {
  Labels identity;
  std::string drill;  // The value of kDrillLabel, or "".
  const LabelledSample* sample;
};

Verdict VerdictOf(const Rule& rule, const LabelledSample& sample) {
  Labels labels = OutputLabels(rule, sample);
  std::string drill(labels.Get(kDrillLabel));
  return {Identity(std::move(labels)), std::move(drill), &sample};
}

// kInvalid names the labels that two of them have.
Status CheckDistinct(const std::vector<Verdict>& verdicts) {
  std::vector<const Labels*> all;
  for (const Verdict& verdict : verdicts) all.push_back(&verdict.identity);
  std::sort(all.begin(), all.end(), [](const Labels* a, const Labels* b) { return *a < *b; });
  const auto twice = std::adjacent_find(all.begin(), all.end(),
                                        [](const Labels* a, const Labels* b) { return *a == *b; });
  if (twice == all.end()) return {};
  return Fail(ErrorCode::kInvalid, "two series give an alert the same labels {}",
              (*twice)->ToString());
}

}  // namespace

struct RuleEngine::Impl {
  // An alert that is pending or firing.
  struct Active {
    Alert alert;
    std::uint64_t judgement = 0;  // The last one that yielded it.
    bool expanded = false;        // The annotations are those of the rule and the value.
    AlertState written_state = AlertState::kInactive;    // What `state_series` says.
    std::shared_ptr<Series> state_series, since_series;  // ALERTS and ALERTS_FOR_STATE, or null.
  };

  struct Entry {
    Rule rule;
    std::string key;
    std::map<Labels, Active> active;  // By identity.
    WrittenSeries written;            // Of a recording rule.
    bool reads_written = false;       // Must see what the rules before it wrote.
    std::size_t group = 0;            // In `groups`.
    bool looked_for_series = false;
    std::vector<std::string> unmatched;  // Selectors that no series matches.
    bool evaluated = false;
    std::string last_error;
    std::int64_t last_evaluation_ms = 0;
    std::chrono::nanoseconds evaluation_time{0};
  };

  struct Group {
    std::chrono::milliseconds interval{0};  // Its own; 0: the engine's.
    std::int64_t next_ms = 0;               // When it is due, with an interval of its own.
    bool due = false;                       // At the evaluation under way.
  };

  // A state that is not stored yet. Inactive ones are removed from the table.
  struct Change {
    StoredAlert stored;
    bool tell = false;  // Firing or resolved just now, rather than pending or given up.
  };

  Impl(RuleEngineOptions with, SqliteDatabase with_database)
      : options(std::move(with)), database(std::move(with_database)), engine(*options.source) {}

  void SetRules(std::vector<Rule> rules);
  void Restore(std::vector<StoredAlert> stored);
  void MarkRulesThatReadWritten();
  void ChooseDue(const Moment& moment);
  void EvaluateRule(Entry& entry, const Moment& moment);
  Status Judge(Entry& entry, const Moment& moment);
  Status Record(Entry& entry, std::vector<LabelledSample> samples, const Moment& moment);
  void Begin(Alert& alert, const Verdict& verdict, std::int64_t now_ms) const;
  void Expand(Active& active, const Rule& rule, const LabelledSample& sample, std::int64_t now_ms);
  void Update(Entry& entry, const Verdict& verdict, const Moment& moment);
  bool MayBegin(const Rule& rule, const Moment& moment) const;
  Status Vanished(Entry& entry, const Moment& moment);
  Result<bool> KeptByNoData(const Entry& entry, const Alert& alert, const Moment& moment);
  bool KeptFiring(Entry& entry, Alert& alert, const Moment& moment);
  void WriteAlert(Active& active, std::int64_t now_ms);
  void EndSeries(const std::shared_ptr<Series>& series, std::int64_t now_ms);
  void Flush();
  void FindUnmatched(const Moment& moment);
  void EndAlert(const std::string& key, Alert alert, ResolveReason reason, const Moment& moment);
  void Note(const std::string& key, const Alert& alert, std::int64_t now_ms, bool tell);
  Status Store(std::int64_t now_ms);
  bool Count();
  std::vector<Alert> Firing() const;

  RuleEngineOptions options;
  SqliteDatabase database;
  promql::Engine engine;
  std::vector<Entry> entries;
  std::vector<Group> groups;
  std::set<std::string> written_metrics;       // By rules.
  std::int64_t next_look_ms = 0;               // For unmatched selectors.
  std::vector<StoredAlert> orphans;            // Of rules that are gone.
  std::vector<std::shared_ptr<Series>> ended;  // Likewise.
  std::vector<SeriesSample> to_append;         // What rules wrote since the last Flush.
  std::optional<DownTargets> down_targets;     // At the evaluation under way, once asked for.
  std::string append_error;                    // Of the last Flush, or "".
  std::vector<Change> unstored;
  bool on_alerts_is_due = false;                 // Until it ran and was committed.
  std::optional<std::int64_t> settled_since_ms;  // Every target was looked at then.
  std::uint64_t judgement = 0;                   // Counts them.
  RuleTotals totals;
};

void RuleEngine::Impl::SetRules(std::vector<Rule> rules) {
  std::map<std::string, Entry> kept;
  for (Entry& entry : entries) kept.emplace(entry.key, std::move(entry));
  entries.clear();
  entries.reserve(rules.size());
  groups.clear();
  next_look_ms = 0;
  const std::vector<std::string> keys = RuleKeys(rules);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    Entry entry;
    entry.key = keys[i];
    entry.rule = std::move(rules[i]);
    const auto found = kept.find(entry.key);
    if (found != kept.end() && found->second.rule.IsRecording() == entry.rule.IsRecording()) {
      entry.active = std::move(found->second.active);
      entry.written = std::move(found->second.written);
      for (auto& [identity, active] : entry.active) active.expanded = false;
      kept.erase(found);
    }
    const bool same_group = !entries.empty() && entries.back().rule.group == entry.rule.group &&
                            entries.back().rule.place.file == entry.rule.place.file;
    if (!same_group) groups.push_back({entry.rule.interval, 0, false});
    entry.group = groups.size() - 1;
    entries.push_back(std::move(entry));
  }
  for (auto& [key, entry] : kept) {
    entry.written.Give(ended);
    for (auto& [identity, active] : entry.active) {
      ended.insert(ended.end(), {active.state_series, active.since_series});
      orphans.push_back({key, std::move(active.alert), 0});
    }
  }
  MarkRulesThatReadWritten();
}

void RuleEngine::Impl::MarkRulesThatReadWritten() {
  written_metrics = {"ALERTS", "ALERTS_FOR_STATE"};
  for (const Entry& entry : entries) {
    if (entry.rule.IsRecording()) written_metrics.insert(entry.rule.record);
  }
  for (Entry& entry : entries) {
    for (const promql::ExprPtr& expr : {entry.rule.expr, entry.rule.recover})
      entry.reads_written =
          entry.reads_written || (expr != nullptr && ReadsAny(expr, written_metrics));
  }
}

void RuleEngine::Impl::Restore(std::vector<StoredAlert> stored) {
  const std::int64_t now_ms = options.clock->NowMs();
  for (StoredAlert& each : stored) {
    Alert& alert = each.alert;
    // Nobody looked meanwhile, so that time says nothing about how long the condition held.
    const std::int64_t blind_ms = std::max<std::int64_t>(0, now_ms - each.seen_ms);
    if (alert.state == AlertState::kPending) alert.active_since_ms += blind_ms;
    if (alert.kept_since_ms != 0) alert.kept_since_ms += blind_ms;
    const auto entry = std::find_if(entries.begin(), entries.end(),
                                    [&](const Entry& e) { return e.key == each.rule; });
    if (entry == entries.end()) {
      orphans.push_back(std::move(each));
    } else {
      entry->active[Identity(alert.labels)].alert = std::move(alert);
    }
  }
}

void RuleEngine::Impl::Note(const std::string& key, const Alert& alert, std::int64_t now_ms,
                            bool tell) {
  if (unstored.size() >= kMaxUnstoredChanges) {
    LogError("state.db: more than {} changes of alerts wait; the oldest is given up",
             kMaxUnstoredChanges);
    unstored.erase(unstored.begin());
  }
  unstored.push_back({{key, alert, now_ms}, tell});
}

void RuleEngine::Impl::EndAlert(const std::string& key, Alert alert, ResolveReason reason,
                                const Moment& moment) {
  const bool fired = alert.state == AlertState::kFiring;
  alert.state = AlertState::kInactive;
  alert.event_ns = moment.event_ns;
  if (fired) {
    alert.resolved_at_ms = moment.now_ms;
    alert.resolve_reason = reason;
    alert.annotations["resolved"] = reason == ResolveReason::kRecovered
                                        ? fmt::format("recovered, at {}", alert.value)
                                        : "no longer reported";
  }
  Note(key, alert, moment.now_ms, fired);
}

// Whether there was time enough to see what the rule may find missing.
bool RuleEngine::Impl::MayBegin(const Rule& rule, const Moment& moment) const {
  if (!rule.sight) return true;
  if (!settled_since_ms) return false;
  const std::int64_t blind_ms = *settled_since_ms - options.looked_until_ms;
  return moment.now_ms - *settled_since_ms >= std::min(rule.sight->count(), blind_ms);
}

void RuleEngine::Impl::Begin(Alert& alert, const Verdict& verdict, std::int64_t now_ms) const {
  alert.labels = verdict.identity;
  alert.labels.Set(kDrillLabel, verdict.drill);
  alert.state = AlertState::kPending;
  alert.active_since_ms = now_ms;
  if (!options.drill) return;
  const auto& match = options.drill->match;
  if (std::all_of(match.begin(), match.end(),
                  [&](const auto& pair) { return alert.labels.Get(pair.first) == pair.second; }))
    alert.labels.Set(kDrillLabel, "true");
}

// Makes the annotations those of the sample, unless they are.
void RuleEngine::Impl::Expand(Active& active, const Rule& rule, const LabelledSample& sample,
                              std::int64_t now_ms) {
  Alert& alert = active.alert;
  if (active.expanded && SameBits(alert.value, sample.sample.value)) return;
  alert.value = sample.sample.value;
  bool asked = false;
  alert.annotations = ExpandAnnotations(
      rule, sample, [&](const std::string& text) -> Result<std::vector<LabelledSample>> {
        asked = true;
        const Result<promql::ExprPtr> expr = promql::Parse(text);
        if (!expr) return Forward(expr.error());
        return EvaluateVector(engine, *expr, now_ms);
      });
  active.expanded = !asked;  // What a query yields may change at any time.
}

void RuleEngine::Impl::Update(Entry& entry, const Verdict& verdict, const Moment& moment) {
  const auto [place, is_new] = entry.active.try_emplace(verdict.identity);
  Active& active = place->second;
  Alert& alert = active.alert;
  if (is_new) Begin(alert, verdict, moment.now_ms);
  active.judgement = judgement;
  alert.immediate = entry.rule.immediate;
  Expand(active, entry.rule, *verdict.sample, moment.now_ms);
  const bool held_again = std::exchange(alert.kept_since_ms, 0) != 0;
  const bool due = alert.state == AlertState::kPending &&
                   moment.now_ms - alert.active_since_ms >= entry.rule.for_duration.count();
  if (due) {
    alert.state = AlertState::kFiring;
    alert.fired_at_ms = moment.now_ms;
    alert.event_ns = moment.event_ns;
  }
  if (is_new || due || held_again) Note(entry.key, alert, moment.now_ms, due);
}

// Whether a firing alert without data stays, as its rule's no_data has it.
Result<bool> RuleEngine::Impl::KeptByNoData(const Entry& entry, const Alert& alert,
                                            const Moment& moment) {
  if (entry.rule.no_data != NoData::kKeep) return false;
  if (!down_targets) {
    Result<DownTargets> found = DownTargets::At(engine, moment.now_ms);
    if (!found) return Forward(found.error());
    down_targets = std::move(*found);
  }
  return down_targets->Cover(alert.labels);
}

// Whether keep_firing_for still holds an alert whose condition ended.
bool RuleEngine::Impl::KeptFiring(Entry& entry, Alert& alert, const Moment& moment) {
  if (entry.rule.keep_firing_for.count() == 0) return false;
  if (alert.kept_since_ms == 0) {
    alert.kept_since_ms = moment.now_ms;
    Note(entry.key, alert, moment.now_ms, false);
  }
  return moment.now_ms - alert.kept_since_ms < entry.rule.keep_firing_for.count();
}

// Ends what the expression no longer yields, unless something keeps it.
Status RuleEngine::Impl::Vanished(Entry& entry, const Moment& moment) {
  std::vector<Labels> gone;
  for (const auto& [identity, active] : entry.active) {
    if (active.judgement != judgement) gone.push_back(identity);
  }
  if (gone.empty() || !moment.settled) return {};
  const Rule& rule = entry.rule;
  const auto present = EvaluateByIdentity(engine, rule, rule.presence, moment.now_ms);
  if (!present) return Forward(present.error());
  const auto recovered = EvaluateByIdentity(engine, rule, rule.recover, moment.now_ms);
  if (!recovered) return Forward(recovered.error());
  for (const Labels& identity : gone) {
    Active& active = entry.active.at(identity);
    Alert& alert = active.alert;
    const auto value = present->find(identity);
    const bool is_present = rule.presence == nullptr || value != present->end();
    if (value != present->end()) {
      alert.value = value->second;
      active.expanded = false;
    }
    if (alert.state == AlertState::kFiring) {
      if (is_present && rule.recover != nullptr && !recovered->contains(identity)) continue;
      const Result<bool> kept = is_present ? false : KeptByNoData(entry, alert, moment);
      if (!kept) return Forward(kept.error());
      if (*kept || KeptFiring(entry, alert, moment)) continue;
    }
    EndSeries(active.state_series, moment.now_ms);
    EndSeries(active.since_series, moment.now_ms);
    EndAlert(entry.key, std::move(alert),
             is_present ? ResolveReason::kRecovered : ResolveReason::kNoLongerReported, moment);
    entry.active.erase(identity);
  }
  return {};
}

void RuleEngine::Impl::EndSeries(const std::shared_ptr<Series>& series, std::int64_t now_ms) {
  if (series != nullptr) to_append.push_back({series, {now_ms, telemetry::StaleMarker()}});
}

void RuleEngine::Impl::WriteAlert(Active& active, std::int64_t now_ms) {
  const Alert& alert = active.alert;
  if (active.written_state != alert.state) {
    EndSeries(active.state_series, now_ms);
    Labels labels = alert.labels;
    labels.Set("alertstate", alert.state == AlertState::kFiring ? "firing" : "pending");
    active.state_series = telemetry::NamedSeries(std::move(labels), "ALERTS");
    active.written_state = alert.state;
  }
  if (active.since_series == nullptr)
    active.since_series = telemetry::NamedSeries(alert.labels, "ALERTS_FOR_STATE");
  to_append.push_back({active.state_series, {now_ms, 1}});
  // Whole seconds, as Prometheus writes them.
  const auto since_s = static_cast<double>(alert.active_since_ms / 1000);
  to_append.push_back({active.since_series, {now_ms, since_s}});
}

Status RuleEngine::Impl::Record(Entry& entry, std::vector<LabelledSample> samples,
                                const Moment& moment) {
  std::set<Labels> seen;
  for (LabelledSample& each : samples) {
    each.labels = OutputLabels(entry.rule, each);
    each.sample.time_ms = moment.now_ms;
    if (!seen.insert(each.labels).second)
      return Fail(ErrorCode::kInvalid, "two series give the recorded one the same labels {}",
                  each.labels.ToString());
  }
  entry.written.Write(std::move(samples), moment.now_ms, to_append);
  return {};
}

// One rule's verdict at one moment.
Status RuleEngine::Impl::Judge(Entry& entry, const Moment& moment) {
  Result<std::vector<LabelledSample>> samples =
      EvaluateVector(engine, entry.rule.expr, moment.now_ms);
  if (!samples) return Forward(samples.error());
  const std::size_t limit = entry.rule.limit == 0 ? kMaxAlertsPerRule : entry.rule.limit;
  if (samples->size() > limit) {
    return Fail(ErrorCode::kLimit, "{} {}; this rule may have {}", samples->size(),
                entry.rule.IsRecording() ? "series" : "alerts", limit);
  }
  if (entry.rule.IsRecording()) return Record(entry, std::move(*samples), moment);
  std::vector<Verdict> verdicts;
  for (const LabelledSample& sample : *samples) verdicts.push_back(VerdictOf(entry.rule, sample));
  if (Status distinct = CheckDistinct(verdicts); !distinct) return distinct;
  ++judgement;
  const bool may_begin = MayBegin(entry.rule, moment);
  for (const Verdict& verdict : verdicts) {
    if (may_begin || entry.active.contains(verdict.identity)) Update(entry, verdict, moment);
  }
  if (Status ended_gone = Vanished(entry, moment); !ended_gone) return ended_gone;
  if (!options.append) return {};
  for (auto& [identity, active] : entry.active) WriteAlert(active, moment.now_ms);
  return {};
}

// Hands over what rules wrote. A failure is said once; the samples are the store's to keep.
void RuleEngine::Impl::Flush() {
  if (to_append.empty() || !options.append) return;
  const Status appended = options.append(to_append);
  to_append.clear();
  const std::string error = appended ? "" : appended.error().message;
  if (error != append_error && !error.empty())
    LogError("what rules recorded cannot be saved: {}", error);
  append_error = error;
}

// Finds the rules that read what is not there, and says so once: most likely a name is mistyped.
void RuleEngine::Impl::FindUnmatched(const Moment& moment) {
  const std::int64_t every_ms = kUnmatchedLookEvery.count();
  const bool early = moment.now_ms < next_look_ms && moment.now_ms >= next_look_ms - every_ms;
  if (!options.has_series || !moment.settled || early) return;
  next_look_ms = moment.now_ms + every_ms;
  std::map<std::string, bool> known;
  for (Entry& entry : entries) {
    if (entry.looked_for_series && entry.unmatched.empty()) continue;
    std::vector<std::string> unmatched;
    for (const PlainSelector& selector : OutsideSelectors(entry.rule, written_metrics)) {
      const auto [at, is_new] = known.try_emplace(selector.text);
      if (is_new) at->second = options.has_series(selector.matchers);
      if (!at->second) unmatched.push_back(selector.text);
    }
    if (!unmatched.empty() && !entry.looked_for_series)
      LogWarning("rule {} ({}): no series matches {}", entry.key, entry.rule.place.ToString(),
                 fmt::join(unmatched, ", "));
    entry.unmatched = std::move(unmatched);
    entry.looked_for_series = true;
  }
}

void RuleEngine::Impl::ChooseDue(const Moment& moment) {
  const bool event = moment.event_ns != 0;
  for (Group& group : groups) {
    const std::int64_t interval = group.interval.count();
    if (interval == 0) {
      group.due = moment.tick || event;
      continue;
    }
    // A clock that was set back must not silence the group.
    const bool over = moment.now_ms >= group.next_ms || moment.now_ms < group.next_ms - interval;
    group.due = over || event;
    if (!over) continue;
    group.next_ms += interval;
    if (group.next_ms <= moment.now_ms || group.next_ms > moment.now_ms + interval)
      group.next_ms = moment.now_ms + interval;
  }
}

void RuleEngine::Impl::EvaluateRule(Entry& entry, const Moment& moment) {
  if (entry.reads_written) Flush();
  const std::int64_t begin_ns = options.clock->SteadyNs();
  const Status judged = Judge(entry, moment);
  const std::string error = judged ? "" : judged.error().message;
  if (error != entry.last_error) {
    if (error.empty()) {
      LogInfo("rule {}: evaluated again", entry.key);
    } else {
      LogWarning("rule {} ({}): {}; its alerts stay as they are", entry.key,
                 entry.rule.place.ToString(), error);
    }
  }
  entry.last_error = error;
  entry.evaluated = true;
  entry.last_evaluation_ms = moment.now_ms;
  entry.evaluation_time = std::chrono::nanoseconds(options.clock->SteadyNs() - begin_ns);
}

// Counts what there is now, for Totals; whether alerts wait, for `for` or `keep_firing_for`.
bool RuleEngine::Impl::Count() {
  totals.rules = entries.size();
  totals.failing = totals.pending = totals.firing = 0;
  bool kept = false;
  for (const Entry& entry : entries) {
    if (!entry.last_error.empty()) ++totals.failing;
    for (const auto& [identity, active] : entry.active) {
      ++(active.alert.state == AlertState::kFiring ? totals.firing : totals.pending);
      kept = kept || active.alert.kept_since_ms != 0;
    }
  }
  return kept || totals.pending > 0;
}

std::vector<Alert> RuleEngine::Impl::Firing() const {
  std::vector<Alert> firing;
  for (const Entry& entry : entries) {
    for (const auto& [identity, active] : entry.active) {
      if (active.alert.state == AlertState::kFiring) firing.push_back(active.alert);
    }
  }
  return firing;
}

Status RuleEngine::Impl::Store(std::int64_t now_ms) {
  const bool waiting = Count();
  on_alerts_is_due = (options.due && options.due(now_ms)) || on_alerts_is_due;
  if (unstored.empty() && !waiting && !on_alerts_is_due) return {};
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
  if (!transaction) return Forward(transaction.error());
  AlertsNow alerts;
  for (const Change& change : unstored) {
    const Alert& alert = change.stored.alert;
    const bool is_over = alert.state == AlertState::kInactive;
    const Status stored = is_over ? DeleteAlert(database, change.stored.rule, alert.Fingerprint())
                                  : SaveAlert(database, change.stored);
    if (!stored) return stored;
    on_alerts_is_due = on_alerts_is_due || change.tell;
    if (change.tell && is_over) alerts.resolved.push_back(alert);
  }
  if (waiting) {
    if (Status marked = MarkWaitingSeen(database, now_ms); !marked) return marked;
  }
  const bool hands_over = on_alerts_is_due && options.on_alerts;
  if (hands_over) {
    alerts.firing = Firing();
    if (Status told = options.on_alerts(database, std::move(alerts), now_ms); !told) return told;
  }
  if (Status committed = transaction->Commit(); !committed) return committed;
  unstored = {};  // Not cleared: a first evaluation may have begun thousands of alerts.
  on_alerts_is_due = false;
  if (hands_over && options.on_stored) options.on_stored();
  return {};
}

RuleEngine::RuleEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RuleEngine::~RuleEngine() = default;

Result<std::unique_ptr<RuleEngine>> RuleEngine::Create(RuleEngineOptions options,
                                                       std::vector<Rule> rules,
                                                       SqliteDatabase database) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(database));
  Result<std::vector<StoredAlert>> stored = LoadAlerts(impl->database);
  if (!stored) return Forward(stored.error());
  impl->SetRules(std::move(rules));
  impl->Restore(std::move(*stored));
  return std::unique_ptr<RuleEngine>(new RuleEngine(std::move(impl)));
}

Status RuleEngine::Evaluate(const Moment& moment) {
  const std::int64_t begin_ns = impl_->options.clock->SteadyNs();
  Moment at = moment;
  impl_->ChooseDue(moment);
  impl_->down_targets.reset();
  if (moment.settled && !impl_->settled_since_ms) impl_->settled_since_ms = moment.now_ms;
  if (at.event_ns == 0) at.event_ns = begin_ns;
  for (StoredAlert& orphan : std::exchange(impl_->orphans, {}))
    impl_->EndAlert(orphan.rule, std::move(orphan.alert), ResolveReason::kNoLongerReported, at);
  for (const auto& series : std::exchange(impl_->ended, {})) impl_->EndSeries(series, at.now_ms);
  for (Impl::Entry& entry : impl_->entries) {
    if (impl_->groups[entry.group].due) impl_->EvaluateRule(entry, at);
  }
  impl_->Flush();
  impl_->FindUnmatched(at);
  impl_->totals.evaluated_at_ms = at.now_ms;
  const Status stored = impl_->Store(at.now_ms);
  impl_->totals.evaluation_time =
      std::chrono::nanoseconds(impl_->options.clock->SteadyNs() - begin_ns);
  return stored;
}

void RuleEngine::ReplaceRules(std::vector<Rule> rules, std::optional<DrillConfig> drill) {
  impl_->options.drill = std::move(drill);
  impl_->SetRules(std::move(rules));
}

std::optional<std::int64_t> RuleEngine::NextDueMs() const {
  std::optional<std::int64_t> next;
  for (const Impl::Group& group : impl_->groups) {
    if (group.interval.count() != 0) next = std::min(next.value_or(group.next_ms), group.next_ms);
  }
  if (!impl_->options.next_due_ms) return next;
  const std::optional<std::int64_t> due = impl_->options.next_due_ms();
  return next && due ? std::min(*next, *due) : due ? due : next;
}

RuleTotals RuleEngine::Totals() const { return impl_->totals; }

RulesSnapshot RuleEngine::Snapshot() const {
  RulesSnapshot snapshot{impl_->options.interval, impl_->totals.evaluated_at_ms, {}};
  for (const Impl::Entry& entry : impl_->entries) {
    RuleStatus status;
    status.name = entry.rule.Name();
    status.is_recording = entry.rule.IsRecording();
    status.group = entry.rule.group;
    status.interval = entry.rule.interval;
    status.limit = entry.rule.limit;
    status.kind = entry.rule.kind;
    status.query = promql::ToString(*entry.rule.expr);
    status.file = entry.rule.place.file;
    status.for_duration = entry.rule.for_duration;
    status.keep_firing_for = entry.rule.keep_firing_for;
    for (const auto& [name, text] : entry.rule.labels) status.labels[name] = text.source();
    for (const auto& [name, text] : entry.rule.annotations)
      status.annotations[name] = text.source();
    status.evaluated = entry.evaluated;
    status.last_error = entry.last_error;
    status.unmatched = entry.unmatched;
    status.last_evaluation_ms = entry.last_evaluation_ms;
    status.evaluation_time = entry.evaluation_time;
    for (const auto& [identity, active] : entry.active) {
      status.alerts.push_back(active.alert);
      status.state = std::max(status.state, active.alert.state);
    }
    std::sort(status.alerts.begin(), status.alerts.end(),
              [](const Alert& a, const Alert& b) { return a.labels < b.labels; });
    snapshot.rules.push_back(std::move(status));
  }
  return snapshot;
}

}  // namespace atalaya::alertd
