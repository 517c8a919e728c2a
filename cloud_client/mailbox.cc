#include "cloud_client/mailbox.h"

namespace atalaya::cloud_client {

Status Mailbox::Publish(PendingPublish publish, std::size_t max_packets, std::size_t max_bytes) {
  const std::lock_guard lock(mutex_);
  if (publish_closed_ || loop_ == nullptr) return Fail(ErrorCode::kIo, "the client was closed");
  if (stats_.queued_packets >= max_packets) {
    return Fail(ErrorCode::kLimit, "{} packets wait for the server already", max_packets);
  }
  if (publish.Bytes() > max_bytes - stats_.queued_bytes) {
    return Fail(ErrorCode::kLimit, "{} bytes wait for the server already, of at most {}",
                stats_.queued_bytes, max_bytes);
  }
  ++stats_.queued_packets;
  stats_.queued_bytes += publish.Bytes();
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

void Mailbox::Done(std::size_t bytes, bool published) {
  const std::lock_guard lock(mutex_);
  --stats_.queued_packets;
  stats_.queued_bytes -= bytes;
  if (published) ++stats_.published;
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
  return stats_.queued_packets;
}

ClientStats Mailbox::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Mailbox::CountReceived() {
  const std::lock_guard lock(mutex_);
  ++stats_.received;
}

void Mailbox::CountConnect() {
  const std::lock_guard lock(mutex_);
  ++stats_.connects;
}

}  // namespace atalaya::cloud_client
