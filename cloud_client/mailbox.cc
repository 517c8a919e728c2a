#include "cloud_client/mailbox.h"

#include "cloud_client/spool_record.h"

namespace atalaya::cloud_client {
namespace {

std::uint64_t DiskBytes(const PendingPublish& publish) {
  return SpoolPublishBytes(publish.packet.topic.size(), publish.packet.payload.size());
}

}  // namespace

Status Mailbox::RoomLocked(const PendingPublish& publish, std::size_t max_packets,
                           std::size_t max_bytes) const {
  if (stats_.queued_packets >= max_packets) {
    return Fail(ErrorCode::kLimit, "{} packets wait for the {} already", max_packets,
                spool_ ? "disk" : "server");
  }
  if (publish.Bytes() > max_bytes - stats_.queued_bytes) {
    return Fail(ErrorCode::kLimit, "{} bytes wait for the {} already, of at most {}",
                stats_.queued_bytes, spool_ ? "disk" : "server", max_bytes);
  }
  if (spool_ && DiskBytes(publish) + for_spool_bytes_ > spool_->room_bytes) {
    return Fail(ErrorCode::kLimit, "the spool is full: {} packets in {} bytes wait for the server",
                spool_->pending, spool_->disk_bytes);
  }
  return {};
}

Status Mailbox::Publish(PendingPublish publish, std::size_t max_packets, std::size_t max_bytes) {
  const std::lock_guard lock(mutex_);
  if (publish_closed_ || loop_ == nullptr) return Fail(ErrorCode::kIo, "the client was closed");
  if (Status room = RoomLocked(publish, max_packets, max_bytes); !room) return room;
  ++stats_.queued_packets;
  stats_.queued_bytes += publish.Bytes();
  for_spool_bytes_ += DiskBytes(publish);
  publish.number = next_number_++;
  letters_.publishes.push_back(std::move(publish));
  WakeLocked();
  return {};
}

void Mailbox::Handled(std::uint64_t message) {
  const std::lock_guard lock(mutex_);
  if (loop_ == nullptr) return;
  letters_.handled.push_back(message);
  WakeLocked();
}

bool Mailbox::Call(std::function<void()> call) {
  const std::lock_guard lock(mutex_);
  if (loop_ == nullptr) return false;
  letters_.calls.push_back(std::move(call));
  WakeLocked();
  return true;
}

void Mailbox::WakeLocked() {
  if (woken_) return;
  woken_ = true;
  loop_->Post(on_letters_);
}

Mailbox::Letters Mailbox::Take() {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  return std::exchange(letters_, {});
}

void Mailbox::Left(const PendingPublish& publish, Outcome outcome) {
  const std::lock_guard lock(mutex_);
  --stats_.queued_packets;
  stats_.queued_bytes -= publish.Bytes();
  for_spool_bytes_ -= DiskBytes(publish);
  if (outcome == Outcome::kPublished) ++stats_.published;
  if (outcome == Outcome::kRefused) ++stats_.refused;
}

void Mailbox::SetSpool(const SpoolFill& fill) {
  const std::lock_guard lock(mutex_);
  spool_ = fill;
}

void Mailbox::CloseForPublish() {
  const std::lock_guard lock(mutex_);
  publish_closed_ = true;
}

void Mailbox::CloseForAll() {
  const std::lock_guard lock(mutex_);
  loop_ = nullptr;
}

std::size_t Mailbox::queued_packets() const {
  const std::lock_guard lock(mutex_);
  return stats_.queued_packets + (spool_ ? spool_->pending : 0);
}

ClientStats Mailbox::stats() const {
  const std::lock_guard lock(mutex_);
  ClientStats stats = stats_;
  if (spool_) {
    stats.queued_packets += spool_->pending;
    stats.spool_bytes = spool_->disk_bytes;
    stats.spool_damaged = spool_->damaged;
  }
  return stats;
}

void Mailbox::CountReceived() {
  const std::lock_guard lock(mutex_);
  ++stats_.received;
}

void Mailbox::CountConnect() {
  const std::lock_guard lock(mutex_);
  ++stats_.connects;
}

void Mailbox::CountOutcome(Outcome outcome) {
  const std::lock_guard lock(mutex_);
  if (outcome == Outcome::kPublished) ++stats_.published;
  if (outcome == Outcome::kRefused) ++stats_.refused;
}

}  // namespace atalaya::cloud_client
