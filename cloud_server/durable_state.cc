#include "cloud_server/durable_state.h"

#include <algorithm>

#include "base/clock.h"

namespace atalaya::cloud_server {
namespace {

constexpr std::uint8_t kQosBits = 3;

std::list<SavedDelivery>::iterator FindPacket(SavedSession& session, std::uint16_t packet_id) {
  return std::find_if(session.deliveries.begin(), session.deliveries.end(),
                      [&](const SavedDelivery& d) { return d.packet_id == packet_id; });
}

// The first delivery of the message that has no packet id yet, of those that `may` be it; end()
// where there is none. A session has a message more than once where several shares gave it.
template <typename Predicate>
std::list<SavedDelivery>::iterator FindMessage(SavedSession& session, std::uint64_t message_id,
                                               const Predicate& may) {
  const auto is_it = [&](const SavedDelivery& d) {
    return d.message_id == message_id && d.packet_id == 0 && may(d);
  };
  const auto [begin, end] = session.places.equal_range(message_id);
  if (begin == end) return session.deliveries.end();
  if (std::next(begin) == end) {
    return is_it(*begin->second) ? begin->second : session.deliveries.end();
  }
  return std::find_if(session.deliveries.begin(), session.deliveries.end(), is_it);
}

void Add(SavedSession* session, SavedDelivery delivery) {
  const std::uint64_t id = delivery.message_id;
  session->deliveries.push_back(std::move(delivery));
  session->places.emplace(id, std::prev(session->deliveries.end()));
}

void Erase(SavedSession* session, std::list<SavedDelivery>::iterator at) {
  const auto [begin, end] = session->places.equal_range(at->message_id);
  for (auto place = begin; place != end; ++place) {
    if (place->second != at) continue;
    session->places.erase(place);
    break;
  }
  session->deliveries.erase(at);
}

}  // namespace

ClockPair ClockPair::Now() { return {SystemClock().NowMs(), SystemClock().SteadyNs()}; }

std::int64_t ClockPair::ToSteady(std::uint64_t at_ms) const {
  if (at_ms == 0) return 0;
  // What lies further away than the server will run is as good as never, and does not overflow.
  constexpr std::int64_t kFarMs = std::int64_t{1} << 42;
  const std::int64_t ahead_ms =
      std::clamp(static_cast<std::int64_t>(std::min<std::uint64_t>(at_ms, INT64_MAX)) - utc_ms,
                 -kFarMs, kFarMs);
  return std::max<std::int64_t>(steady_ns + ahead_ms * kNsPerMs, 1);
}

std::uint64_t ClockPair::ToUtc(std::int64_t at_ns) const {
  if (at_ns == 0) return 0;
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(utc_ms + (at_ns - steady_ns) / kNsPerMs, 1));
}

template <typename Record>
void DurableState::Read(std::string_view fields) {
  Record record;
  if (ReadFields(fields, &record)) {
    On(record);
  } else {
    ++unreadable_;
  }
}

void DurableState::Apply(std::string_view record) {
  const std::string_view fields = record.substr(1);
  switch (static_cast<RecordKind>(record.front())) {
    case RecordKind::kSessionOpened:
      return Read<SessionOpened>(fields);
    case RecordKind::kSessionClosed:
      return Read<SessionClosed>(fields);
    case RecordKind::kSessionEnded:
      return Read<SessionEnded>(fields);
    case RecordKind::kSubscribed:
      return Read<Subscribed>(fields);
    case RecordKind::kUnsubscribed:
      return Read<Unsubscribed>(fields);
    case RecordKind::kPublished:
      return Read<Published>(fields);
    case RecordKind::kSent:
      return Read<Sent>(fields);
    case RecordKind::kReleased:
      return Read<Released>(fields);
    case RecordKind::kCompleted:
      return Read<Completed>(fields);
    case RecordKind::kRemoved:
      return Read<Removed>(fields);
    case RecordKind::kIncomingBegan:
      return Read<IncomingBegan>(fields);
    case RecordKind::kIncomingEnded:
      return Read<IncomingEnded>(fields);
    case RecordKind::kClock:
      return Read<ClockRecord>(fields);
    case RecordKind::kCompactionBegan:
      return Read<CompactionBegan>(fields);
    case RecordKind::kSessionImage:
      return Read<SessionImage>(fields);
    case RecordKind::kBody:
      return Read<Body>(fields);
    case RecordKind::kRetainedImage:
      return Read<RetainedImage>(fields);
    case RecordKind::kCompactionEnded:
      return Read<CompactionEnded>(fields);
  }
  ++unreadable_;
}

SavedSession& DurableState::SessionOf(std::uint64_t id) {
  SawId(id);
  SavedSession& session = sessions_[id];
  session.id = id;
  return session;
}

MessagePtr DurableState::MakeMessage(const MessageFields& fields) const {
  mqtt::Publish packet;
  packet.topic = fields.topic;
  packet.payload = fields.payload;
  packet.properties = mqtt::Properties(fields.properties);
  packet.qos = static_cast<mqtt::Qos>(fields.flags & kQosBits);
  packet.retain = (fields.flags & MessageFields::kRetainBit) != 0;
  return Message::Copy(packet, clocks_.ToSteady(fields.expires_ms));
}

void DurableState::On(const SessionOpened& record) {
  SavedSession& session = SessionOf(record.session);
  session.known = true;
  session.client_id = record.client_id;
  session.user = record.user;
  session.by_certificate = record.by_certificate != 0;
  session.expiry_s = record.expiry_s;
  session.connected = true;
  session.will = record.will.empty() ? MessagePtr() : MakeMessage(record.will.front());
  session.will_delay_s = record.will_delay_s;
  session.will_due_ms = 0;
  for (SavedDelivery& delivery : session.deliveries) delivery.maybe_sent = true;
}

void DurableState::On(const SessionClosed& record) {
  SavedSession& session = SessionOf(record.session);
  session.connected = false;
  session.expiry_s = record.expiry_s;
  session.closed_ms = record.closed_ms;
  session.will_due_ms = record.will_due_ms;
  if (record.will_due_ms == 0) session.will = MessagePtr();
  SawTime(record.closed_ms);
}

void DurableState::On(const SessionEnded& record) {
  SawId(record.session);
  sessions_.erase(record.session);
}

void DurableState::On(const Subscribed& record) {
  SavedSession& session = SessionOf(record.session);
  for (const SubscriptionFields& fields : record.subscriptions) {
    session.subscriptions.insert_or_assign(std::string(fields.filter),
                                           SavedSession::Subscription{fields.options, fields.id});
  }
}

void DurableState::On(const Unsubscribed& record) {
  SavedSession& session = SessionOf(record.session);
  for (const std::string_view filter : record.filters) {
    const auto found = session.subscriptions.find(filter);
    if (found != session.subscriptions.end()) session.subscriptions.erase(found);
  }
}

void DurableState::On(const Published& record) {
  SawId(record.message);
  const MessagePtr message = MakeMessage(record.fields);
  if (record.retained_order != 0) Retain(record.retained_order, record.fields, message);
  if (record.from != 0) {
    SavedSession& from = SessionOf(record.from);
    if (record.incoming_id != 0) from.incoming.insert(record.incoming_id);
    if (record.is_will != 0) from.will = MessagePtr();
  }
  if (record.taken_from != 0) On(Removed{record.taken_from, record.taken_message});
  for (const TargetFields& target : record.targets) {
    if ((target.flags & kQosBits) < 1 || (target.flags & kQosBits) > 2) continue;
    SavedSession& session = SessionOf(target.session);
    SavedDelivery delivery;
    delivery.message_id = record.message;
    delivery.message = message;
    delivery.subscription_ids = target.subscription_ids;
    delivery.qos = target.flags & kQosBits;
    delivery.retain = (target.flags & MessageFields::kRetainBit) != 0;
    delivery.maybe_sent = session.connected;
    Add(&session, std::move(delivery));
  }
}

void DurableState::On(const Sent& record) {
  SavedSession& session = SessionOf(record.session);
  const auto at = FindMessage(session, record.message, [](const auto& d) { return d.qos == 2; });
  if (at == session.deliveries.end()) return;
  at->packet_id = record.packet_id;
  at->sent_order = next_sent_++;
}

void DurableState::On(const Released& record) {
  SavedSession& session = SessionOf(record.session);
  const auto at = FindPacket(session, record.packet_id);
  if (at == session.deliveries.end()) return;
  at->released = true;
  at->message = MessagePtr();
}

void DurableState::On(const Completed& record) {
  SavedSession& session = SessionOf(record.session);
  const auto at = FindPacket(session, record.packet_id);
  if (at != session.deliveries.end()) Erase(&session, at);
}

void DurableState::On(const Removed& record) {
  SavedSession& session = SessionOf(record.session);
  const auto at = FindMessage(session, record.message, [](const auto&) { return true; });
  if (at != session.deliveries.end()) Erase(&session, at);
}

void DurableState::On(const IncomingBegan& record) {
  SessionOf(record.session).incoming.insert(record.packet_id);
}

void DurableState::On(const IncomingEnded& record) {
  SessionOf(record.session).incoming.erase(record.packet_id);
}

void DurableState::On(const ClockRecord& record) { SawTime(record.now_ms); }

void DurableState::On(const CompactionBegan& record) {
  if (record.next_id > 0) SawId(record.next_id - 1);
  bodies_.clear();
}

void DurableState::On(const CompactionEnded& record) {
  if (record.next_id > 0) SawId(record.next_id - 1);
  bodies_.clear();
}

void DurableState::On(const Body& record) {
  SawId(record.message);
  bodies_[record.message] = MakeMessage(record.fields);
}

void DurableState::On(const SessionImage& record) {
  SavedSession& session = SessionOf(record.opened.session);
  std::list<SavedDelivery> before = std::move(session.deliveries);
  SavedSession image;
  image.id = session.id;
  session = std::move(image);
  On(record.opened);
  if (record.is_connected == 0) On(record.closed);
  On(Subscribed{record.opened.session, record.subscriptions});
  session.incoming.insert(record.incoming.begin(), record.incoming.end());
  for (const DeliveryFields& fields : record.deliveries) {
    SavedDelivery delivery;
    delivery.message_id = fields.message;
    delivery.subscription_ids = fields.subscription_ids;
    delivery.qos = fields.flags & kQosBits;
    delivery.retain = (fields.flags & MessageFields::kRetainBit) != 0;
    delivery.maybe_sent = (fields.flags & DeliveryFields::kMaybeSentBit) != 0;
    delivery.released = (fields.flags & DeliveryFields::kReleasedBit) != 0;
    delivery.packet_id = fields.packet_id;
    if (delivery.packet_id != 0) delivery.sent_order = next_sent_++;
    const auto old = std::find_if(before.begin(), before.end(), [&](const SavedDelivery& d) {
      return d.message_id == fields.message;
    });
    if (old != before.end()) {
      delivery.message = old->message;
      before.erase(old);
    } else if (const auto body = bodies_.find(fields.message); body != bodies_.end()) {
      delivery.message = body->second;
    }
    if (delivery.released) delivery.message = MessagePtr();
    if (!delivery.message && !delivery.released) continue;  // Its body was lost.
    if (delivery.qos < 1 || delivery.qos > 2) continue;
    Add(&session, std::move(delivery));
  }
  for (SavedDelivery& delivery : before) Add(&session, std::move(delivery));
}

void DurableState::On(const RetainedImage& record) {
  Retain(record.order, record.fields, MakeMessage(record.fields));
}

void DurableState::Retain(std::uint64_t order, const MessageFields& fields, MessagePtr message) {
  next_retained_order_ = std::max(next_retained_order_, order + 1);
  SavedRetained& saved = retained_[std::string(fields.topic)];
  if (order < saved.order) return;
  saved.order = order;
  saved.message = fields.payload.empty() ? MessagePtr() : std::move(message);
}

}  // namespace atalaya::cloud_server
