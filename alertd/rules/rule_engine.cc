#include "alertd/rules/rule_engine.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/log.h"

namespace atalaya::alertd {
namespace {

using telemetry::LabelledSample;
using telemetry::Labels;

// Changes that wait for a database that fails; beyond it the oldest are given up, and counted.
constexpr std::size_t kMaxUnstoredChanges = 100'000;

constexpr std::string_view kDrillLabel = "drill";

// "A", and "A#2" for the second rule of that name: what tells stored alerts whose they are.
std::vector<std::string> RuleKeys(const std::vector<Rule>& rules) {
  std::map<std::string, int> seen;
  std::vector<std::string> keys;
  for (const Rule& rule : rules) {
    const int count = ++seen[rule.alert];
    keys.push_back(count == 1 ? rule.alert : fmt::format("{}#{}", rule.alert, count));
  }
  return keys;
}

Labels AlertLabels(const Rule& rule, const LabelledSample& sample) {
  Labels series = sample.labels;
  series.Remove(telemetry::kMetricName);
  Labels labels = series;
  for (const auto& [name, text] : rule.labels)
    labels.Set(name, text.Expand(series, sample.sample.value));
  labels.Set("alertname", rule.alert);
  return labels;
}

std::map<std::string, std::string> Annotations(const Rule& rule, const LabelledSample& sample) {
  std::map<std::string, std::string> annotations;
  for (const auto& [name, text] : rule.annotations)
    annotations[name] = text.Expand(sample.labels, sample.sample.value);
  return annotations;
}

// An alert is known by its labels without `drill`, which comes and goes with the configuration.
Labels Identity(const Alert& alert) {
  Labels labels = alert.labels;
  labels.Remove(kDrillLabel);
  return labels;
}

std::vector<LabelledSample> ToVector(const promql::Value& value, std::int64_t now_ms) {
  if (const auto* vector = std::get_if<std::vector<LabelledSample>>(&value)) return *vector;
  if (const auto* scalar = std::get_if<telemetry::Sample>(&value))
    return {{Labels(), {now_ms, scalar->value}}};
  return {};
}

}  // namespace

struct RuleEngine::Impl {
  using Active = std::unordered_map<Labels, Alert>;

  struct Entry {
    Rule rule;
    std::string key;
    std::string query;
    Active active;
    bool evaluated = false;
    std::string last_error;
    std::int64_t last_evaluation_ms = 0;
    std::chrono::nanoseconds evaluation_time{0};
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
  void EvaluateRule(Entry& entry, const Moment& moment);
  std::string Judge(Entry& entry, const Moment& moment);
  void Update(Entry& entry, const Labels& labels, const LabelledSample& sample,
              const Moment& moment);
  void Vanished(Entry& entry, const std::set<Labels>& seen, const Moment& moment);
  void EndAlert(const std::string& key, Alert alert, ResolveReason reason, const Moment& moment);
  void Note(const std::string& key, const Alert& alert, std::int64_t now_ms, bool tell);
  Status Store(std::int64_t now_ms);
  bool AnyPending() const;

  RuleEngineOptions options;
  SqliteDatabase database;
  promql::Engine engine;
  std::vector<Entry> entries;
  std::vector<StoredAlert> orphans;  // Of rules that are gone.
  std::vector<Change> unstored;
  std::int64_t evaluated_at_ms = 0;
};

void RuleEngine::Impl::SetRules(std::vector<Rule> rules) {
  std::map<std::string, Active> kept;
  for (Entry& entry : entries) kept[entry.key] = std::move(entry.active);
  entries.clear();
  const std::vector<std::string> keys = RuleKeys(rules);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    Entry entry;
    entry.key = keys[i];
    entry.query = promql::ToString(*rules[i].expr);
    entry.rule = std::move(rules[i]);
    if (const auto found = kept.find(entry.key); found != kept.end()) {
      entry.active = std::move(found->second);
      kept.erase(found);
    }
    entries.push_back(std::move(entry));
  }
  for (auto& [key, active] : kept) {
    for (auto& [identity, alert] : active) orphans.push_back({key, std::move(alert), 0});
  }
}

void RuleEngine::Impl::Restore(std::vector<StoredAlert> stored) {
  const std::int64_t now_ms = options.clock->NowMs();
  for (StoredAlert& each : stored) {
    Alert& alert = each.alert;
    // Nobody looked meanwhile, so that time says nothing about how long the condition held.
    if (alert.state == AlertState::kPending)
      alert.active_since_ms += std::max<std::int64_t>(0, now_ms - each.seen_ms);
    const auto entry = std::find_if(entries.begin(), entries.end(),
                                    [&](const Entry& e) { return e.key == each.rule; });
    if (entry == entries.end()) {
      orphans.push_back(std::move(each));
    } else {
      entry->active.insert_or_assign(Identity(alert), std::move(alert));
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
  }
  Note(key, alert, moment.now_ms, fired);
}

void RuleEngine::Impl::Update(Entry& entry, const Labels& labels, const LabelledSample& sample,
                              const Moment& moment) {
  Labels identity = labels;
  identity.Remove(kDrillLabel);
  const auto [place, is_new] = entry.active.try_emplace(std::move(identity));
  Alert& alert = place->second;
  if (is_new) {
    alert.labels = labels;
    alert.state = AlertState::kPending;
    alert.active_since_ms = moment.now_ms;
    if (options.drill) {
      const auto& match = options.drill->match;
      if (std::all_of(match.begin(), match.end(),
                      [&](const auto& pair) { return labels.Get(pair.first) == pair.second; }))
        alert.labels.Set(kDrillLabel, "true");
    }
  }
  alert.value = sample.sample.value;
  alert.immediate = entry.rule.immediate;
  alert.annotations = Annotations(entry.rule, sample);
  const bool due = alert.state == AlertState::kPending &&
                   moment.now_ms - alert.active_since_ms >= entry.rule.for_duration.count();
  if (due) {
    alert.state = AlertState::kFiring;
    alert.fired_at_ms = moment.now_ms;
    alert.event_ns = moment.event_ns;
  }
  if (is_new || due) Note(entry.key, alert, moment.now_ms, due);
}

// Ends what the expression no longer yields.
void RuleEngine::Impl::Vanished(Entry& entry, const std::set<Labels>& seen, const Moment& moment) {
  std::vector<Labels> gone;
  for (const auto& [identity, alert] : entry.active) {
    if (!seen.contains(identity)) gone.push_back(identity);
  }
  if (gone.empty() || !moment.settled) return;
  std::map<Labels, double> present;
  if (entry.rule.presence != nullptr) {
    const Result<promql::QueryResult> found =
        engine.EvaluateInstant(entry.rule.presence, moment.now_ms);
    if (found) {
      for (const LabelledSample& sample : ToVector(found->value, moment.now_ms)) {
        Labels identity = AlertLabels(entry.rule, sample);
        identity.Remove(kDrillLabel);
        present[std::move(identity)] = sample.sample.value;
      }
    }
  }
  for (const Labels& identity : gone) {
    auto node = entry.active.extract(identity);
    const auto value = present.find(identity);
    if (value != present.end()) node.mapped().value = value->second;
    const bool recovered = entry.rule.presence == nullptr || value != present.end();
    EndAlert(entry.key, std::move(node.mapped()),
             recovered ? ResolveReason::kRecovered : ResolveReason::kNoLongerReported, moment);
  }
}

// One rule's verdict at one moment; returns what went wrong, or "".
std::string RuleEngine::Impl::Judge(Entry& entry, const Moment& moment) {
  const Result<promql::QueryResult> result = engine.EvaluateInstant(entry.rule.expr, moment.now_ms);
  if (!result) return result.error().message;
  const std::vector<LabelledSample> samples = ToVector(result->value, moment.now_ms);
  if (samples.size() > kMaxAlertsPerRule)
    return fmt::format("{} alerts; a rule may have {}", samples.size(), kMaxAlertsPerRule);
  std::vector<Labels> labels;
  std::set<Labels> seen;
  for (const LabelledSample& sample : samples) {
    labels.push_back(AlertLabels(entry.rule, sample));
    Labels identity = labels.back();
    identity.Remove(kDrillLabel);
    if (!seen.insert(std::move(identity)).second)
      return fmt::format("two series give an alert the same labels {}", labels.back().ToString());
  }
  for (std::size_t i = 0; i < samples.size(); ++i) Update(entry, labels[i], samples[i], moment);
  Vanished(entry, seen, moment);
  return "";
}

void RuleEngine::Impl::EvaluateRule(Entry& entry, const Moment& moment) {
  const std::int64_t begin_ns = options.clock->SteadyNs();
  const std::string error = Judge(entry, moment);
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

bool RuleEngine::Impl::AnyPending() const {
  for (const Entry& entry : entries) {
    for (const auto& [identity, alert] : entry.active) {
      if (alert.state == AlertState::kPending) return true;
    }
  }
  return false;
}

Status RuleEngine::Impl::Store(std::int64_t now_ms) {
  const bool pending = AnyPending();
  if (unstored.empty() && !pending) return {};
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
  if (!transaction) return Forward(transaction.error());
  std::vector<Alert> changed;
  for (const Change& change : unstored) {
    const Alert& alert = change.stored.alert;
    const Status stored = alert.state == AlertState::kInactive
                              ? DeleteAlert(database, change.stored.rule, alert.Fingerprint())
                              : SaveAlert(database, change.stored);
    if (!stored) return stored;
    if (change.tell) changed.push_back(alert);
  }
  if (pending) {
    if (Status marked = MarkPendingSeen(database, now_ms); !marked) return marked;
  }
  if (!changed.empty() && options.on_changed) {
    if (Status told = options.on_changed(database, changed, now_ms); !told) return told;
  }
  if (Status committed = transaction->Commit(); !committed) return committed;
  unstored.clear();
  if (!changed.empty() && options.on_stored) options.on_stored();
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
  Moment at = moment;
  if (at.event_ns == 0) at.event_ns = impl_->options.clock->SteadyNs();
  for (StoredAlert& orphan : std::exchange(impl_->orphans, {}))
    impl_->EndAlert(orphan.rule, std::move(orphan.alert), ResolveReason::kNoLongerReported, at);
  for (Impl::Entry& entry : impl_->entries) impl_->EvaluateRule(entry, at);
  impl_->evaluated_at_ms = at.now_ms;
  return impl_->Store(at.now_ms);
}

void RuleEngine::ReplaceRules(std::vector<Rule> rules, std::optional<DrillConfig> drill) {
  impl_->options.drill = std::move(drill);
  impl_->SetRules(std::move(rules));
}

RulesSnapshot RuleEngine::Snapshot() const {
  RulesSnapshot snapshot{impl_->options.interval, impl_->evaluated_at_ms, {}};
  for (const Impl::Entry& entry : impl_->entries) {
    RuleStatus status;
    status.alert = entry.rule.alert;
    status.kind = entry.rule.kind;
    status.query = entry.query;
    status.file = entry.rule.place.file;
    status.for_duration = entry.rule.for_duration;
    for (const auto& [name, text] : entry.rule.labels) status.labels[name] = text.source();
    for (const auto& [name, text] : entry.rule.annotations)
      status.annotations[name] = text.source();
    status.evaluated = entry.evaluated;
    status.last_error = entry.last_error;
    status.last_evaluation_ms = entry.last_evaluation_ms;
    status.evaluation_time = entry.evaluation_time;
    for (const auto& [identity, alert] : entry.active) {
      status.alerts.push_back(alert);
      status.state = std::max(status.state, alert.state);
    }
    std::sort(status.alerts.begin(), status.alerts.end(),
              [](const Alert& a, const Alert& b) { return a.labels < b.labels; });
    snapshot.rules.push_back(std::move(status));
  }
  return snapshot;
}

}  // namespace atalaya::alertd
