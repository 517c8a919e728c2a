#include "cloud_server/connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>

#include "cloud_server/loop.h"
#include "cloud_server/message_properties.h"

namespace atalaya::cloud_server {

using telemetry::Stat;

namespace {

// Room for five strings of the longest kind, and for as much of user properties.
constexpr std::size_t kMaxConnectBytes = 512u << 10;

}  // namespace

Connection::Connection(Loop* loop, UniqueFd fd, std::unique_ptr<Transport> transport,
                       std::uint16_t listener)
    : fd_(std::move(fd)),
      loop_(loop),
      transport_(std::move(transport)),
      output_(&loop->buffers()),
      listener_(listener) {
  last_packet_ns_ = loop->now_ns();
}

Connection::~Connection() = default;

void Connection::OnIo(std::uint32_t epoll_events) {
  if ((epoll_events & EPOLLOUT) != 0) {
    blocked_ = false;
    loop_->MarkDirty(this);
    WatchIo();
  }
  if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) == 0 || closing_) return;
  if (!reading_) {
    // Nobody reads now, so only a hang-up or an error brings this.
    if ((epoll_events & (EPOLLHUP | EPOLLERR)) != 0) Close(Stat::kClosedPeerGone);
    return;
  }
  if (loop_->congested()) return SetReading(false);
  if (!HasRoom()) {  // Who takes no answers is asked no more.
    stalled_ = true;
    return SetReading(false);
  }
  Receive();
}

void Connection::Receive() {
  if (UnfinishedBytes() > 0 && loop_->ShortOfMemory()) return WaitForMemory();
  // What is left of an unfinished packet goes before the new bytes, in one buffer; only a packet
  // larger than that grows in place.
  const std::span<char> buffer = loop_->read_buffer();
  const std::size_t kept = in_.size();
  const bool joined = kept <= kReadBytes;
  char* const into = joined ? buffer.data() + kept : buffer.data();
  const IoResult got = ReadThrough(transport_.get(), fd_.get(), {into, kReadBytes});
  if (transport_ != nullptr) {
    if (transport_->HasUnsent()) loop_->MarkDirty(this);
    if (transport_->HasUnread()) loop_->ScheduleRead(this);
  }
  if (got.bytes == 0) return EndIfOver(got.state);
  const std::size_t bytes = got.bytes;
  std::size_t used = 0;
  const std::size_t unfinished = UnfinishedBytes();
  loop_->stats().Add(Stat::kReceivedBytes, static_cast<std::int64_t>(bytes));
  if (joined) {
    if (kept > 0) std::memcpy(buffer.data(), in_.data(), kept);
    const std::string_view all(buffer.data(), kept + bytes);
    used = Process(all);
    in_.assign(all.substr(used));
  } else {
    in_.append(buffer.data(), bytes);
    used = Process(in_);
    in_.erase(0, used);
  }
  // A large packet may take its time to arrive; bytes alone are no sign of life (MQTT-3.1.2-22).
  if (used > 0 || UnfinishedBytes() > 0) last_packet_ns_ = loop_->now_ns();
  if (in_.empty()) in_.shrink_to_fit();  // Most connections are idle most of the time.
  CountUnfinished(unfinished);
  if (hand_off_to_ >= 0 && !closing_)
    loop_->HandOff(this, static_cast<std::uint16_t>(hand_off_to_));
}

void Connection::EndIfOver(IoState state) {
  if (state == IoState::kClosed && HasParked()) {
    throttle_->peer_done = true;
    return SetReading(false);
  }
  if (state == IoState::kClosed) return Close(Stat::kClosedPeerGone);
  if (state != IoState::kFailed) return;
  Close(transport_ != nullptr ? transport_->failure() : Stat::kClosedIoError);
}

void Connection::ReadAgain() {
  if (closing_ || !reading_) return;
  OnIo(EPOLLIN);
}

void Connection::Adopt(Loop* loop) {
  loop_ = loop;
  output_.SetPool(&loop->buffers());
  hand_off_to_ = -1;
  last_packet_ns_ = loop->now_ns();
}

void Connection::ProcessBuffered() {
  paused_ = false;
  const std::size_t unfinished = UnfinishedBytes();
  const std::string bytes = std::exchange(in_, {});
  const std::size_t used = Process(bytes);
  in_.assign(bytes, used);
  CountUnfinished(unfinished);
  if (transport_ == nullptr) return;
  if (transport_->HasUnsent()) loop_->MarkDirty(this);  // Owed since before it came here.
  if (transport_->HasUnread()) loop_->ScheduleRead(this);
}

std::uint32_t Connection::keep_alive_s() const {
  return static_cast<std::uint32_t>(keep_alive_ns_ * 2 / 3 / kNsPerSecond);
}

void Connection::ResumeConnect() {
  waits_for_login_ = false;
  ProcessBuffered();
  if (!closing_ && !waits_for_login_) SetReading(true);
}

// Who has not said CONNECT yet gets memory for that alone.
std::size_t Connection::LimitOfPacket() const {
  const std::size_t limit = loop_->limits().max_packet_bytes;
  return session == nullptr ? std::min(limit, kMaxConnectBytes) : limit;
}

std::size_t Connection::Process(std::string_view bytes) {
  std::size_t at = 0;
  while (!closing_) {
    const mqtt::Decoded<mqtt::Frame> frame = mqtt::NextFrame(bytes.substr(at), LimitOfPacket());
    if (!frame) {
      const auto first = static_cast<std::uint8_t>(bytes[at]);
      Reject(frame.error(), static_cast<mqtt::PacketType>(first >> 4));
      break;
    }
    if (frame->size == 0) {
      const bool is_foreign = session == nullptr && frame->type != mqtt::PacketType::kConnect;
      if (is_foreign && at < bytes.size()) RejectUnexpected();  // Whatever would follow.
      break;
    }
    if (session != nullptr && (loop_->gated() || throttle_ != nullptr)) {
      const Turn turn = TurnOf(*frame, bytes.substr(at, frame->size));
      if (turn == Turn::kLater) break;
      if (turn == Turn::kDone) {
        at += frame->size;
        continue;
      }
    } else if (const std::size_t taken = TakeBurst(bytes.substr(at), *frame); taken > 0) {
      at += taken;
      continue;
    }
    HandleFrame(*frame);
    if (hand_off_to_ >= 0 || waits_for_login_ || paused_) break;
    at += frame->size;
  }
  return closing_ ? bytes.size() : at;
}

void Connection::Close(Stat reason) {
  if (closing_) return;
  closing_ = true;
  close_reason_ = reason;
  loop_->ScheduleClose(this);
}

void Connection::CountSent(mqtt::PacketType type) {
  loop_->stats().Add(telemetry::PacketsSent(static_cast<unsigned>(type)));
  loop_->MarkDirty(this);
}

bool Connection::HasRoom() const {
  const std::size_t bytes = output_.bytes() + (held_ ? held_->bytes() : 0);
  return !closing_ && bytes < loop_->limits().connection_output_bytes;
}

void Connection::Flush() {
  if (blocked_ && !closing_) return CountOutput();
  std::size_t sent = 0;
  const Output::Outcome outcome = output_.Flush(fd_.get(), transport_.get(), &sent);
  loop_->stats().Add(Stat::kSentBytes, static_cast<std::int64_t>(sent));
  CountOutput();
  if (closing_) return;
  if (stalled_) TakeUpReading(sent);
  if (outcome == Output::Outcome::kFailed) return Close(Stat::kClosedPeerGone);
  if (transport_ != nullptr && transport_->HasUnread()) loop_->ScheduleRead(this);
  if (outcome == Output::Outcome::kBlocked) {
    blocked_ = true;
    WatchIo();
  } else if (session != nullptr && session->HasWaiting()) {
    loop_->Pump(session);
  }
}

void Connection::TakeUpReading(std::size_t sent) {
  if (sent > 0) last_packet_ns_ = loop_->now_ns();  // It lives, though it was not heard.
  if (!HasRoom()) return;
  stalled_ = false;
  if (!loop_->stopping()) SetReading(true);
}

void Connection::Finish() {
  Flush();
  if (transport_ != nullptr && output_.empty()) transport_->Finish(fd_.get(), close_reason_);
}

void Connection::CountOutput() {
  const auto now = closing_ ? 0 : static_cast<std::int64_t>(output_.bytes());
  if (now == counted_output_) return;
  loop_->stats().Add(Stat::kOutputBytes, now - counted_output_);
  counted_output_ = now;
}

void Connection::SetReading(bool reading) {
  reading = reading && !waits_for_login_;
  if (reading_ == reading) return;
  reading_ = reading;
  WatchIo();
  if (reading && transport_ != nullptr && transport_->HasUnread()) loop_->ScheduleRead(this);
}

void Connection::WatchIo() {
  const std::uint32_t events = (reading_ ? EPOLLIN : 0u) | (blocked_ ? EPOLLOUT : 0u);
  if (!loop_->events().Modify(fd_.get(), events, this)) Close(Stat::kClosedIoError);
}

void Connection::ScheduleDeadline() {
  std::int64_t due_ns = 0;
  if (session == nullptr) {
    due_ns = last_packet_ns_ + std::chrono::nanoseconds(loop_->limits().connect_timeout).count();
  } else if (keep_alive_ns_ > 0) {
    due_ns = last_packet_ns_ + keep_alive_ns_;
  } else {
    return loop_->wheel().Cancel(this);
  }
  loop_->wheel().Schedule(this, loop_->TickOf(due_ns) + 1);
}

void Connection::OnDeadline() {
  if (session == nullptr && !waits_for_login_) return Close(Stat::kClosedConnectTimeout);
  const bool we_wait = !reading_ && !stalled_;
  if (we_wait || loop_->now_ns() - last_packet_ns_ < keep_alive_ns_) {
    if (we_wait) last_packet_ns_ = loop_->now_ns();
    return ScheduleDeadline();
  }
  CloseSaying(Stat::kClosedKeepAlive, mqtt::Reason::kKeepAliveTimeout);
}

}  // namespace atalaya::cloud_server
