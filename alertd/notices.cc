#include "alertd/notices.h"

#include <algorithm>

#include "alertd/state_db.h"

namespace atalaya::alertd {
namespace {

// Alerts as they leave the program.
void AddExternalLabels(std::vector<Alert>& alerts, const LabelMap& external_labels) {
  for (Alert& alert : alerts) {
    for (const auto& [name, value] : external_labels) {
      if (!alert.labels.Has(name)) alert.labels.Set(name, value);
    }
  }
}

}  // namespace

Status Notices::Configure(const Config& config, const std::string& external_url) {
  Result<SqliteDatabase> database = OpenStateDb(state_path_);
  if (!database) return Forward(database.error());
  DispatcherOptions dispatching;
  dispatching.routing = config.routing;
  dispatching.silences = silences_;
  dispatching.clock = &clock_;
  dispatching.counters = &counters_;
  DelivererOptions delivering;
  delivering.receivers = config.routing->receivers;
  delivering.external_url = external_url;
  delivering.clock = &clock_;
  delivering.counters = &counters_;
  delivering.lag = &lag_;

  std::unique_ptr<Deliverer> old;
  {
    const std::lock_guard lock(mutex_);
    external_labels_ = config.external_labels;
    routing_ = config.routing;
    dispatcher_ = std::make_unique<Dispatcher>(std::move(dispatching));
    old = std::move(deliverer_);
  }
  old.reset();  // Waits; meanwhile notices gather in the outbox, where the new one finds them.
  Result<std::unique_ptr<Deliverer>> deliverer =
      Deliverer::Start(std::move(delivering), std::move(*database));
  if (!deliverer) return Forward(deliverer.error());
  const std::lock_guard lock(mutex_);
  deliverer_ = std::move(*deliverer);
  deliverer_->Wake();  // For what was committed while there was none.
  return {};
}

Status Notices::Process(SqliteDatabase& database, AlertsNow alerts, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  AddExternalLabels(alerts.firing, external_labels_);
  AddExternalLabels(alerts.resolved, external_labels_);
  posted_->AddTo(alerts, now_ms);
  const Result<std::size_t> rows = dispatcher_->Process(database, alerts, now_ms);
  if (!rows) return Forward(rows.error());
  return {};
}

bool Notices::Due(std::int64_t now_ms) {
  const bool silences_changed = silences_->TakeChanged();
  const bool posted_changed = posted_->TakeChanged();
  const std::lock_guard lock(mutex_);
  const std::optional<std::int64_t> due_ms = dispatcher_->next_due_ms();
  return silences_changed || posted_changed || (due_ms && now_ms >= *due_ms);
}

std::optional<std::int64_t> Notices::NextDueMs() {
  const std::optional<std::int64_t> end_ms = posted_->NextEndMs();
  const std::lock_guard lock(mutex_);
  const std::optional<std::int64_t> due_ms = dispatcher_->next_due_ms();
  return due_ms && end_ms ? std::min(*end_ms, *due_ms) : due_ms ? due_ms : end_ms;
}

void Notices::Wake() {
  const std::lock_guard lock(mutex_);
  if (deliverer_) deliverer_->Wake();
}

std::vector<AlertView> Notices::View(std::vector<Alert> firing) {
  AlertsNow alerts;
  alerts.firing = std::move(firing);
  std::shared_ptr<const Routing> routing;
  {
    const std::lock_guard lock(mutex_);
    AddExternalLabels(alerts.firing, external_labels_);
    routing = routing_;
  }
  const std::int64_t now_ms = clock_.NowMs();
  posted_->AddTo(alerts, now_ms);
  return ViewAlerts(*routing, silences_, std::move(alerts.firing), now_ms);
}

std::shared_ptr<const Routing> Notices::Routes() {
  const std::lock_guard lock(mutex_);
  return routing_;
}

}  // namespace atalaya::alertd
