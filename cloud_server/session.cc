#include "cloud_server/session.h"

#include <utility>

#include "base/clock.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

constexpr std::uint32_t kPacketIds = 65'535;

// The id that follows `packet_id` after `steps`, over 65,535 to 1.
std::uint16_t IdAfter(std::uint16_t packet_id, std::uint32_t steps) {
  return static_cast<std::uint16_t>((packet_id - 1u + steps) % kPacketIds + 1u);
}

}  // namespace

Session::Session(std::string client_id, telemetry::StatsLoop* stats)
    : since_ms(SystemClock().NowMs()), client_id_(std::move(client_id)), stats_(stats) {}

Session::~Session() {
  const auto lost = static_cast<std::int64_t>(queue_.size() + in_flight_count_);
  stats_->Add(Stat::kDroppedSessionEnded, lost);
  stats_->Add(Stat::kQueuePackets, -static_cast<std::int64_t>(queue_.size()));
  stats_->Add(Stat::kQueueBytes, -static_cast<std::int64_t>(queue_bytes_));
  stats_->Add(Stat::kInflightOut, -static_cast<std::int64_t>(in_flight_count_));
  stats_->Add(Stat::kInflightIn, -static_cast<std::int64_t>(incoming_.size()));
}

bool Session::HasRoomFor(std::size_t bytes, const Limits& limits) const {
  return queue_.size() < limits.session_queue_packets &&
         (queue_.empty() || queue_bytes_ + bytes <= limits.session_queue_bytes);
}

// `packets` is 1 or -1.
void Session::CountQueued(std::int64_t packets, std::size_t bytes) {
  const std::int64_t change = packets * static_cast<std::int64_t>(bytes);
  queue_bytes_ += static_cast<std::size_t>(change);
  stats_->Add(Stat::kQueuePackets, packets);
  stats_->Add(Stat::kQueueBytes, change);
}

bool Session::Queue(Delivery delivery, const Limits& limits) {
  const std::size_t bytes = delivery.message->bytes();
  while (!HasRoomFor(bytes, limits)) {
    switch (limits.overflow) {
      case OverflowPolicy::kDropOldest:
        DropOldest(Stat::kDroppedQueueFull);
        break;
      case OverflowPolicy::kDropNewest:
        NoteRemoved(delivery.message_id);
        stats_->Add(Stat::kDroppedQueueFullNewest);
        return true;
      case OverflowPolicy::kDisconnect:
        NoteRemoved(delivery.message_id);
        stats_->Add(Stat::kDroppedQueueFullDisconnect);
        return false;
    }
  }
  queue_.PushBack(std::move(delivery));
  CountQueued(1, bytes);
  return true;
}

void Session::NoteRemoved(std::uint64_t message_id) {
  if (log_ != nullptr && message_id != 0) log_->Write(Removed{record_id, message_id});
}

void Session::DropOldest(Stat counter) {
  const Delivery dropped = queue_.PopFront();
  NoteRemoved(dropped.message_id);
  CountQueued(-1, dropped.message->bytes());
  stats_->Add(counter);
}

std::vector<Delivery> Session::TakeShared(const std::string* share) {
  std::vector<Delivery> taken;
  for (std::size_t left = queue_.size(); left > 0; --left) {
    Delivery delivery = queue_.PopFront();
    const bool is_wanted = share == nullptr ? delivery.share != nullptr : delivery.share == share;
    if (!is_wanted) {
      queue_.PushBack(std::move(delivery));
      continue;
    }
    CountQueued(-1, delivery.message->bytes());
    taken.push_back(std::move(delivery));
  }
  return taken;
}

std::optional<Delivery> Session::TakeNext(const Limits& limits, std::int64_t now_ns) {
  while (!queue_.empty() && queue_.front().message->IsExpired(now_ns)) {
    DropOldest(Stat::kDroppedExpired);
  }
  if (queue_.empty()) return std::nullopt;
  if (in_flight_count_ >= limits.in_flight || in_flight_count_ >= receive_maximum) {
    return std::nullopt;
  }
  if (in_flight_.size() >= kPacketIds - 1) return std::nullopt;  // Ids run out behind the oldest.
  Delivery delivery = queue_.PopFront();
  CountQueued(-1, delivery.message->bytes());
  delivery.packet_id = next_packet_id_;
  next_packet_id_ = IdAfter(next_packet_id_, 1);
  if (log_ != nullptr && delivery.qos == mqtt::Qos::k2) {
    log_->Write(Sent{record_id, delivery.message_id, delivery.packet_id});
  }
  in_flight_.PushBack({delivery, State::kSent});
  ++in_flight_count_;
  stats_->Add(Stat::kInflightOut);
  return delivery;
}

std::vector<Delivery> Session::Unacknowledged() {
  std::vector<Delivery> deliveries;
  for (std::size_t i = 0; i < in_flight_.size(); ++i) {
    const InFlight& entry = in_flight_[i];
    if (entry.state == State::kDone) continue;
    deliveries.push_back(entry.delivery);
    deliveries.back().dup = true;
    deliveries.back().is_pubrel = entry.state == State::kReleased;
  }
  return deliveries;
}

Session::InFlight* Session::Find(std::uint16_t packet_id) {
  if (in_flight_.empty() || packet_id == 0) return nullptr;
  const std::uint16_t first = in_flight_.front().delivery.packet_id;
  const std::uint32_t place = (packet_id + kPacketIds - first) % kPacketIds;
  if (place >= in_flight_.size() || in_flight_[place].state == State::kDone) return nullptr;
  return &in_flight_[place];
}

Session::AckOutcome Session::Finish(InFlight* entry) {
  if (entry->delivery.qos == mqtt::Qos::k2) {
    NotePacketId<Completed>(entry->delivery.packet_id);
  } else {
    NoteRemoved(entry->delivery.message_id);
  }
  entry->state = State::kDone;
  entry->delivery.message = MessagePtr();
  --in_flight_count_;
  stats_->Add(Stat::kInflightOut, -1);
  while (!in_flight_.empty() && in_flight_.front().state == State::kDone) in_flight_.PopFront();
  return AckOutcome::kDone;
}

Session::AckOutcome Session::OnPuback(std::uint16_t packet_id) {
  InFlight* entry = Find(packet_id);
  if (entry == nullptr) return AckOutcome::kUnknown;
  if (entry->delivery.qos != mqtt::Qos::k1) return AckOutcome::kWrongState;
  return Finish(entry);
}

Session::AckOutcome Session::OnPubrec(std::uint16_t packet_id, bool refused) {
  InFlight* entry = Find(packet_id);
  if (entry == nullptr) return AckOutcome::kUnknown;
  if (entry->delivery.qos != mqtt::Qos::k2) return AckOutcome::kWrongState;
  if (refused) return Finish(entry);
  NotePacketId<Released>(packet_id);
  entry->state = State::kReleased;
  entry->delivery.message = MessagePtr();
  return AckOutcome::kRelease;
}

Session::AckOutcome Session::OnPubcomp(std::uint16_t packet_id) {
  InFlight* entry = Find(packet_id);
  if (entry == nullptr) return AckOutcome::kUnknown;
  if (entry->state != State::kReleased) return AckOutcome::kWrongState;
  return Finish(entry);
}

void Session::Discard(std::uint16_t packet_id) {
  if (InFlight* entry = Find(packet_id); entry != nullptr) Finish(entry);
}

bool Session::BeginIncoming(std::uint16_t packet_id) {
  const auto at = std::lower_bound(incoming_.begin(), incoming_.end(), packet_id);
  if (at != incoming_.end() && *at == packet_id) return false;
  incoming_.insert(at, packet_id);
  stats_->Add(Stat::kInflightIn);
  return true;
}

bool Session::EndIncoming(std::uint16_t packet_id) {
  const auto at = std::lower_bound(incoming_.begin(), incoming_.end(), packet_id);
  if (at == incoming_.end() || *at != packet_id) return false;
  incoming_.erase(at);
  stats_->Add(Stat::kInflightIn, -1);
  NotePacketId<IncomingEnded>(packet_id);
  return true;
}

}  // namespace atalaya::cloud_server
