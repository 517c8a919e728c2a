// A session's way into the journal's images and back.

#include <algorithm>

#include "cloud_server/session.h"

namespace atalaya::cloud_server {

using telemetry::Stat;

namespace {

constexpr std::uint32_t kPacketIdCount = 65'535;

Delivery FromSaved(SavedDelivery* saved) {
  Delivery delivery;
  delivery.message = std::move(saved->message);
  delivery.subscription_ids = std::move(saved->subscription_ids);
  delivery.message_id = saved->message_id;
  delivery.packet_id = saved->packet_id;
  delivery.qos = static_cast<mqtt::Qos>(saved->qos);
  delivery.retain = saved->retain;
  delivery.dup = saved->packet_id == 0 && saved->maybe_sent;
  return delivery;
}

}  // namespace

void Session::Restore(std::list<SavedDelivery>* deliveries,
                      const std::set<std::uint16_t>& incoming) {
  std::vector<SavedDelivery*> sent;
  for (SavedDelivery& saved : *deliveries) {
    if (saved.packet_id != 0) sent.push_back(&saved);
  }
  std::sort(sent.begin(), sent.end(), [](const SavedDelivery* a, const SavedDelivery* b) {
    return a->sent_order < b->sent_order;
  });
  for (SavedDelivery* saved : sent) {
    // The ids between were of messages at QoS 1, which get new ones, or are acknowledged.
    while (!in_flight_.empty() && next_packet_id_ != saved->packet_id &&
           in_flight_.size() < kPacketIdCount - 1) {
      InFlight gap;
      gap.delivery.packet_id = next_packet_id_;
      gap.state = State::kDone;
      in_flight_.PushBack(std::move(gap));
      next_packet_id_ = static_cast<std::uint16_t>(next_packet_id_ % kPacketIdCount + 1u);
    }
    const State state = saved->released ? State::kReleased : State::kSent;
    in_flight_.PushBack({FromSaved(saved), state});
    next_packet_id_ = static_cast<std::uint16_t>(saved->packet_id % kPacketIdCount + 1u);
    ++in_flight_count_;
  }
  for (SavedDelivery& saved : *deliveries) {
    if (saved.packet_id != 0) continue;
    queue_bytes_ += saved.message->bytes();
    queue_.PushBack(FromSaved(&saved));
  }
  incoming_.assign(incoming.begin(), incoming.end());
  stats_->Add(Stat::kQueuePackets, static_cast<std::int64_t>(queue_.size()));
  stats_->Add(Stat::kQueueBytes, static_cast<std::int64_t>(queue_bytes_));
  stats_->Add(Stat::kInflightOut, static_cast<std::int64_t>(in_flight_count_));
  stats_->Add(Stat::kInflightIn, static_cast<std::int64_t>(incoming_.size()));
}

void Session::Describe(SessionImage* image) const {
  image->incoming.assign(incoming_.begin(), incoming_.end());
  const auto add = [&](const Delivery& delivery, std::uint8_t more_flags) {
    DeliveryFields& fields = image->deliveries.emplace_back();
    fields.message = delivery.message_id;
    fields.flags = static_cast<std::uint8_t>(static_cast<unsigned>(delivery.qos) | more_flags |
                                             (delivery.retain ? MessageFields::kRetainBit : 0u));
    if (delivery.qos == mqtt::Qos::k2) fields.packet_id = delivery.packet_id;
    fields.subscription_ids = delivery.subscription_ids;
  };
  for (std::size_t i = 0; i < in_flight_.size(); ++i) {
    const InFlight& entry = in_flight_[i];
    if (entry.state == State::kDone) continue;
    const bool released = entry.state == State::kReleased;
    add(entry.delivery, DeliveryFields::kMaybeSentBit |
                            (released ? DeliveryFields::kReleasedBit : std::uint8_t{0}));
  }
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    add(queue_[i], queue_[i].dup ? DeliveryFields::kMaybeSentBit : std::uint8_t{0});
  }
}

bool Session::VisitKept(std::size_t* at,
                        const std::function<bool(std::uint64_t, const MessagePtr&)>& visit) const {
  for (; *at < in_flight_.size() + queue_.size(); ++*at) {
    const Delivery& delivery =
        *at < in_flight_.size() ? in_flight_[*at].delivery : queue_[*at - in_flight_.size()];
    if (delivery.message && !visit(delivery.message_id, delivery.message)) return false;
  }
  return true;
}

}  // namespace atalaya::cloud_server
