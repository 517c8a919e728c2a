#include <algorithm>
#include <iterator>
#include <utility>

#include "cloud_client/reasons.h"
#include "cloud_client/session.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_client {
namespace {

// No further publish is written while this much waits for the kernel.
constexpr std::size_t kMaxUnsentBytes = 256u << 10;

bool IsFailure(mqtt::Reason reason) { return static_cast<std::uint8_t>(reason) >= 0x80; }

}  // namespace

// PUBACK, PUBREC and PUBCOMP.
Status Session::OnAck(const mqtt::Frame& frame) {
  const auto ack = mqtt::DecodeAck(frame, version_);
  if (!ack) {
    return Fail(ErrorCode::kIo, "sent a malformed {} ({})", mqtt::PacketTypeName(frame.type),
                mqtt::FaultName(ack.error()));
  }
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const auto& publish) {
    return publish.packet_id == ack->packet_id;
  });
  const bool is_pubrec = ack->type == mqtt::PacketType::kPubrec;
  if (found == in_flight_.end()) {
    // Left over from what this client knows nothing of: the server may forget it.
    if (is_pubrec && !IsFailure(ack->reason)) {
      SendAck(mqtt::PacketType::kPubrel, ack->packet_id, mqtt::Reason::kPacketIdNotFound);
    }
    return {};
  }
  const bool once = found->packet.qos == Qos::kExactlyOnce;
  if (once == (ack->type == mqtt::PacketType::kPuback)) {
    return Fail(ErrorCode::kIo, "answered a publish of QoS {} with {}", once ? 2 : 1,
                mqtt::PacketTypeName(ack->type));
  }
  const bool is_end = ack->type == mqtt::PacketType::kPubcomp;
  if (ack->reason == mqtt::Reason::kNoMatchingSubscribers) found->matched = false;
  if (is_pubrec && !IsFailure(ack->reason)) {
    OnPubrec(&*found);
    return {};
  }
  PendingPublish publish = std::move(*found);
  in_flight_.erase(found);
  // PUBCOMP's only failure is that the server does not know the id any more: it is done with it.
  if (IsFailure(ack->reason) && !is_end) return Refused(std::move(publish), *ack);
  const Client::Delivery delivery{.matched = publish.matched};
  Finish(std::move(publish), delivery);
  SendWaiting();
  GoodbyeIfDrained();
  return {};
}

// The server has taken the packet over; it must not be sent again. With a spool that is known on
// disk before PUBREL lets the server forget the packet's id.
void Session::OnPubrec(PendingPublish* publish) {
  if (!spool_) {
    publish->released = true;
    publish->packet.payload.clear();
    SendAck(mqtt::PacketType::kPubrel, publish->packet_id);
    return;
  }
  if (!publish->released) {
    publish->released = true;
    spool_->Release(*publish->spooled);
    confirmed_.push_back(publish->packet_id);
  } else if (std::find(confirmed_.begin(), confirmed_.end(), publish->packet_id) ==
             confirmed_.end()) {
    SendAck(mqtt::PacketType::kPubrel, publish->packet_id);
  }
}

void Session::ReleaseConfirmed() {
  if (confirmed_.empty() || !connection_) return;
  if (const Status synced = spool_->Sync(); !synced) return connection_->Close(synced.error());
  for (const std::uint16_t packet_id : confirmed_) {
    SendAck(mqtt::PacketType::kPubrel, packet_id);
  }
  confirmed_.clear();
}

Status Session::Refused(PendingPublish publish, const mqtt::Ack& ack) {
  const std::string why = ReasonText(ack.reason, ack.properties);
  // No room is a matter of time: what is spooled is sent again after the reconnect.
  if (publish.spooled && ack.reason == mqtt::Reason::kQuotaExceeded) {
    return Fail(ErrorCode::kIo, "the server has no room for {}: {}", publish.packet.topic, why);
  }
  const std::string topic = publish.packet.topic;
  Finish(std::move(publish), Fail(ErrorCode::kRefused, "{}: the server refused a packet to {}: {}",
                                  options_.servers[next_server_ - 1].ToString(), topic, why));
  SendWaiting();
  GoodbyeIfDrained();
  return {};
}

// Into the spool, and onto the disk, all at once.
void Session::Store(std::vector<PendingPublish> publishes) {
  if (publishes.empty()) return;
  std::vector<Status> outcomes;
  for (const PendingPublish& publish : publishes) {
    const Result<std::uint64_t> stored = spool_->Append(publish.packet, publish.time_ms);
    outcomes.push_back(stored ? Status() : Forward(stored.error()));
  }
  const Status synced = spool_->Sync();
  ReportSpool();
  for (std::size_t i = 0; i < publishes.size(); ++i) {
    const Status& outcome = outcomes[i] ? synced : outcomes[i];
    mailbox_->Left(publishes[i], outcome ? Mailbox::Outcome::kSpooled : Mailbox::Outcome::kFailed);
    if (!publishes[i].done) continue;
    if (outcome) {
      publishes[i].done(Client::Delivery{});
    } else {
      publishes[i].done(Forward(outcome.error()));
    }
  }
}

// Reads one publish from the spool into waiting_.
bool Session::FillFromSpool() {
  if (!spool_) return false;
  Result<std::optional<Spool::Entry>> entry = spool_->Next();
  if (!entry) {
    connection_->Close(entry.error());
    return false;
  }
  if (!*entry) return false;
  PendingPublish publish;
  publish.packet = std::move((*entry)->packet);
  publish.time_ms = (*entry)->time_ms;
  publish.spooled = (*entry)->sequence;
  publish.sent_before = (*entry)->sent_before;
  publish.released = (*entry)->released;
  if (publish.packet.qos != Qos::kAtMostOnce) {
    publish.packet_id = static_cast<std::uint16_t>((*entry)->sequence % kSpoolPacketIds + 1);
  }
  waiting_.push_back(std::move(publish));
  return true;
}

void Session::ReportSpool() {
  if (!spool_) return;
  mailbox_->SetSpool({.pending = spool_->pending(),
                      .room_bytes = spool_->room_bytes(),
                      .disk_bytes = spool_->disk_bytes(),
                      .damaged = spool_->damaged()});
}

void Session::SendWaiting() {
  while (state_ == State::kConnected && connection_->unsent_bytes() < kMaxUnsentBytes &&
         in_flight_.size() < limits_.in_flight && (!waiting_.empty() || FillFromSpool())) {
    PendingPublish publish = std::move(waiting_.front());
    waiting_.pop_front();
    Send(std::move(publish));
  }
}

void Session::Send(PendingPublish publish) {
  if (publish.released) {
    // A server that lost the session had taken the packet over all the same.
    if (!session_present_) return Finish(std::move(publish), Client::Delivery{});
    SendAck(mqtt::PacketType::kPubrel, publish.packet_id);
    in_flight_.push_back(std::move(publish));
    return;
  }
  publish.packet.qos = std::min(publish.packet.qos, limits_.max_qos);
  const bool acknowledged = publish.packet.qos != Qos::kAtMostOnce;
  if (acknowledged && publish.packet_id == 0) publish.packet_id = NewPacketId();
  mqtt::Publish packet;
  packet.topic = publish.packet.topic;
  packet.payload = publish.packet.payload;
  packet.packet_id = acknowledged ? publish.packet_id : std::uint16_t{0};
  packet.qos = static_cast<mqtt::Qos>(publish.packet.qos);
  packet.retain = publish.packet.retain;
  packet.dup = acknowledged && publish.sent_before && session_present_;
  std::string properties;
  if (publish.spooled && version_ == mqtt::Version::k5) {
    mqtt::PropertyWriter(&properties)
        .Pair("time", fmt::format("{}.{:03}", publish.time_ms / 1000, publish.time_ms % 1000));
    packet.properties = mqtt::Properties(properties);
  }
  if (const Status fits = Fits(packet); !fits) {
    return Finish(std::move(publish), Forward(fits.error()));
  }
  mqtt::EncodePublish(packet, version_, connection_->out());
  publish.end_position = connection_->queued_bytes();
  if (publish.spooled) publish.packet.payload = {};  // It can be read again.
  (acknowledged ? in_flight_ : writing_).push_back(std::move(publish));
}

// Whether this server may be sent the packet at all.
Status Session::Fits(const mqtt::Publish& packet) const {
  const std::string& server = options_.servers[next_server_ - 1].ToString();
  if (packet.retain && !limits_.retain) {
    return Fail(ErrorCode::kRefused, "{}: {}: the server keeps no retained packets", server,
                packet.topic);
  }
  const std::size_t bytes = mqtt::PublishBytes(packet, version_);
  if (bytes > limits_.packet_bytes) {
    return Fail(ErrorCode::kRefused, "{}: {}: {} bytes are more than the {} that the server takes",
                server, packet.topic, bytes, limits_.packet_bytes);
  }
  return {};
}

void Session::OnWritten() {
  if (!connection_) return;
  while (!writing_.empty() && writing_.front().end_position <= connection_->written_bytes()) {
    PendingPublish publish = std::move(writing_.front());
    writing_.pop_front();
    Finish(std::move(publish), Client::Delivery{});
  }
  if (state_ != State::kConnected) return;
  SendWaiting();
  GoodbyeIfDrained();
}

void Session::Finish(PendingPublish publish, Result<Client::Delivery> outcome) {
  const bool refused = !outcome && outcome.error().code == ErrorCode::kRefused;
  const auto kind = outcome   ? Mailbox::Outcome::kPublished
                    : refused ? Mailbox::Outcome::kRefused
                              : Mailbox::Outcome::kFailed;
  if (publish.spooled) {
    spool_->Done(*publish.spooled);
    mailbox_->CountOutcome(kind);
    if (!outcome && callbacks_.on_refused) {
      callbacks_.on_refused(publish.packet.topic, outcome.error());
    }
    return;
  }
  mailbox_->Left(publish, kind);
  if (publish.done) publish.done(std::move(outcome));
}

// What was on its way waits again, in its old order. A QoS 0 publish of which the kernel did not
// take every byte cannot have arrived, so that sending it again makes no second one.
void Session::RestoreQueue() {
  confirmed_.clear();
  if (spool_) {
    in_flight_.clear();
    writing_.clear();
    waiting_.clear();
    spool_->Rewind();
    return;
  }
  for (PendingPublish& publish : in_flight_) publish.sent_before = true;
  std::deque<PendingPublish> again;
  std::merge(std::make_move_iterator(in_flight_.begin()), std::make_move_iterator(in_flight_.end()),
             std::make_move_iterator(writing_.begin()), std::make_move_iterator(writing_.end()),
             std::back_inserter(again),
             [](const PendingPublish& a, const PendingPublish& b) { return a.number < b.number; });
  in_flight_.clear();
  writing_.clear();
  for (PendingPublish& publish : waiting_) again.push_back(std::move(publish));
  waiting_ = std::move(again);
}

// Ids of publishes that were sent before stay theirs: a server with a kept session knows them.
std::uint16_t Session::NewPacketId() {
  const std::uint16_t first = spool_ ? kSpoolPacketIds + 1 : 1;
  const auto taken = [this](std::uint16_t id) {
    const auto holds = [id](const PendingPublish& publish) { return publish.packet_id == id; };
    // In waiting_ only what was sent before has an id, and that stands at its front.
    return subscribing_.contains(id) || std::any_of(in_flight_.begin(), in_flight_.end(), holds) ||
           std::any_of(waiting_.begin(),
                       waiting_.begin() +
                           static_cast<std::ptrdiff_t>(std::min(waiting_.size(), 2 * kMaxInFlight)),
                       holds);
  };
  do {
    last_packet_id_ = last_packet_id_ == 65'535 || last_packet_id_ < first
                          ? first
                          : static_cast<std::uint16_t>(last_packet_id_ + 1);
  } while (taken(last_packet_id_));
  return last_packet_id_;
}

}  // namespace atalaya::cloud_client
