#include "alertd/notices.h"

#include <vector>

#include "alertd/state_db.h"

namespace atalaya::alertd {

Status Notices::Configure(const Config& config, const std::string& external_url) {
  Result<SqliteDatabase> database = OpenStateDb(state_path_);
  if (!database) return Forward(database.error());
  DispatcherOptions dispatching;
  dispatching.receivers = config.receivers;
  dispatching.drill_notify = config.drill && config.drill->notify;
  dispatching.silences = silences_;
  dispatching.clock = &clock_;
  dispatching.counters = &counters_;
  DelivererOptions delivering;
  delivering.receivers = config.receivers;
  delivering.external_url = external_url;
  delivering.clock = &clock_;
  delivering.counters = &counters_;
  delivering.lag = &lag_;

  std::unique_ptr<Deliverer> old;
  {
    const std::lock_guard lock(mutex_);
    external_labels_ = config.external_labels;
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

Status Notices::Process(SqliteDatabase& database, std::span<const Alert> changed,
                        std::int64_t now_ms) {
  std::vector<Alert> outside;
  for (const Alert& alert : changed) outside.push_back(Outside(alert));
  const std::lock_guard lock(mutex_);
  const Result<std::size_t> rows = dispatcher_->Process(database, outside, now_ms);
  if (!rows) return Forward(rows.error());
  return {};
}

Alert Notices::Outside(Alert alert) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, value] : external_labels_) {
    if (!alert.labels.Has(name)) alert.labels.Set(name, value);
  }
  return alert;
}

std::vector<std::string> Notices::ReceiversOf(const Alert& alert) {
  const std::lock_guard lock(mutex_);
  return dispatcher_->ReceiversOf(alert);
}

void Notices::Wake() {
  const std::lock_guard lock(mutex_);
  if (deliverer_) deliverer_->Wake();
}

}  // namespace atalaya::alertd
