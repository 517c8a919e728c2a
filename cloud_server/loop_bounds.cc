// How a loop keeps its clients within the limits of memory, connections and rates.

#include <algorithm>

#include "base/clock.h"
#include "base/net.h"
#include "cloud_server/login_delay.h"
#include "cloud_server/loop.h"
#include "cloud_server/memory_account.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

constexpr std::chrono::milliseconds kRetryParkedEvery{10};
constexpr std::int64_t kQueueEntryBytes =
    64;  // Of a packet that waits or is in flight, by its side.
// Backlogs below it are not worth a connection.
constexpr std::size_t kSlowOutputBytes = 64u << 10;

constexpr std::array kLatencyBoundsNs = {
    std::int64_t{50'000},      std::int64_t{100'000},      std::int64_t{250'000},
    std::int64_t{500'000},     std::int64_t{1'000'000},    std::int64_t{2'500'000},
    std::int64_t{5'000'000},   std::int64_t{10'000'000},   std::int64_t{25'000'000},
    std::int64_t{100'000'000}, std::int64_t{1'000'000'000}};

// Counts `value_ns` in the histogram whose lowest bucket is `first` and whose sum follows the last.
void Observe(telemetry::StatsLoop* stats, Stat first, std::int64_t value_ns) {
  const auto bucket = static_cast<std::size_t>(
      std::lower_bound(kLatencyBoundsNs.begin(), kLatencyBoundsNs.end(), value_ns) -
      kLatencyBoundsNs.begin());
  const auto at = static_cast<std::size_t>(first);
  stats->Add(static_cast<Stat>(at + bucket));
  stats->Add(static_cast<Stat>(at + kLatencyBoundsNs.size() + 1), value_ns);
}

}  // namespace

bool Loop::Admit(int fd) {
  if (limits_.address_connections == 0 && limits_.address_connect_rate == 0) return true;
  const Result<HostPort> peer = PeerAddress(fd);
  if (!peer) return true;  // It has gone again, which shows at once.
  const auto verdict = hub_->addresses.Admit(fd, AddressKey(peer->host), limits_, now_ns());
  if (verdict == AddressTable::Verdict::kAdmitted) return true;
  stats_->Add(verdict == AddressTable::Verdict::kTooMany ? Stat::kRefusedAddressLimit
                                                         : Stat::kRefusedConnectRate);
  stats_->Add(Stat::kClosedRefused);
  return false;
}

std::int64_t Loop::MemoryUsed() const {
  return MessageMemory() + hub_->output_memory.load(std::memory_order_relaxed) +
         hub_->queue_memory.load(std::memory_order_relaxed);
}

bool Loop::ShortOfMemory() const {
  return short_of_memory_ || MemoryUsed() >= static_cast<std::int64_t>(limits_.memory_bytes);
}

void Loop::SettleMemory() {
  const auto settle = [](std::int64_t now, std::int64_t* said, std::atomic<std::int64_t>* total) {
    if (std::abs(now - *said) < kMemorySlackBytes) return;
    total->fetch_add(now - std::exchange(*said, now), std::memory_order_relaxed);
  };
  const std::int64_t entries = stats_->Get(Stat::kQueuePackets) + stats_->Get(Stat::kInflightOut);
  settle(stats_->Get(Stat::kOutputBytes), &said_output_, &hub_->output_memory);
  settle(entries * kQueueEntryBytes + stats_->Get(Stat::kParkedBytes), &said_queues_,
         &hub_->queue_memory);
  const auto limit = static_cast<std::int64_t>(limits_.memory_bytes);
  const std::int64_t used = MemoryUsed();
  short_of_memory_ = used >= (short_of_memory_ ? limit / 8 * 7 : limit);
}

// Who takes nothing while memory is short goes: the largest backlog of this loop, one each tick, as
// long as backlogs are a good part of it. Sessions that outlive it keep what they are owed.
void Loop::ShedSlowConsumer() {
  const auto limit = static_cast<std::int64_t>(limits_.memory_bytes);
  if (!short_of_memory_ || hub_->output_memory.load(std::memory_order_relaxed) < limit / 4) return;
  Connection* largest = nullptr;
  std::size_t most = kSlowOutputBytes;
  for (const auto& connection : connections_) {
    if (connection->closing() || connection->output_bytes() <= most) continue;
    most = connection->output_bytes();
    largest = connection.get();
  }
  if (largest == nullptr) return;
  largest->CloseSaying(Stat::kClosedSlowConsumer, mqtt::Reason::kQuotaExceeded,
                       "memory is short, and the output is not taken");
}

void Loop::RetryLater(Connection* connection) {
  Throttle* const throttle = connection->throttle();
  if (std::exchange(throttle->listed, true)) return;
  if (parked_.empty()) events_->RunAfter(kRetryParkedEvery, [this] { RetryParked(); });
  parked_.push_back(connection);
}

void Loop::RetryParked() {
  std::vector<Connection*> parked;
  parked.swap(parked_);
  for (Connection* connection : parked) connection->throttle()->listed = false;
  for (Connection* connection : parked) {
    if (!stop_reading_) connection->RetryParked();
    if (connection->MustRetry() && !connection->closing()) RetryLater(connection);
  }
}

void Loop::ForgetParked(Connection* connection) {
  connection->ForgetParked();
  const Throttle* const throttle = connection->throttle();
  if (throttle != nullptr && throttle->listed) std::erase(parked_, connection);
}

void Loop::CountLag() {
  if (tick_due_ns_ != 0) {
    Observe(stats_, Stat::kLoopLag50Us, std::max<std::int64_t>(now_ns() - tick_due_ns_, 0));
  }
  tick_due_ns_ = SystemClock().SteadyNs() + std::chrono::nanoseconds(kLoopTick).count();
  if (index_ == 0) {
    stats_->Set(Stat::kMemoryMessages, MessageMemory());
    stats_->Set(Stat::kMemoryLimit, static_cast<std::int64_t>(limits_.memory_bytes));
  }
  stats_->Set(Stat::kMemoryOutput, said_output_);
  stats_->Set(Stat::kMemoryQueues, said_queues_);
}

void Loop::CountDeliveries() {
  if (oldest_publish_ns_ == 0) return;
  Observe(stats_, Stat::kDelivery50Us,
          SystemClock().SteadyNs() - std::exchange(oldest_publish_ns_, 0));
}

}  // namespace atalaya::cloud_server
