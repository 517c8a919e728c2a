#include "cloud_client/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "cloud_client/client.h"

namespace atalaya::cloud_client {
namespace {

constexpr std::size_t kReadBytes = 16'384;
constexpr int kReadsPerTurn = 16;  // So that a flood leaves room for timers and acks.
constexpr std::size_t kKeptBufferBytes = 65'536;  // A larger buffer is given back when empty.

void Shrink(std::string* buffer) {
  if (buffer->empty() && buffer->capacity() > kKeptBufferBytes) buffer->shrink_to_fit();
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Open(EventLoop* loop, const HostPort& server,
                                                     ConnectionHooks hooks) {
  Result<UniqueFd> fd = StartConnectTcp(server);
  if (!fd) return Forward(fd.error());
  const int raw = fd->get();
  std::unique_ptr<Connection> connection(
      new Connection(loop, server, std::move(hooks), std::move(*fd)));
  if (Status added = loop->Add(raw, EPOLLIN | EPOLLOUT, connection.get()); !added) {
    connection->closed_ = true;
    return Forward(added.error());
  }
  return connection;
}

Connection::Connection(EventLoop* loop, HostPort server, ConnectionHooks hooks, UniqueFd fd)
    : loop_(loop), server_(std::move(server)), hooks_(std::move(hooks)), fd_(std::move(fd)) {}

Connection::~Connection() {
  if (!closed_) loop_->Remove(fd_.get(), this);
}

void Connection::Close(Error why) {
  if (closed_) return;
  closed_ = true;
  loop_->Remove(fd_.get(), this);
  fd_.Reset();
  hooks_.on_closed(std::move(why));
}

Error Connection::Lost(std::string_view why) const {
  return Error{ErrorCode::kIo, fmt::format("{}: {}", server_.ToString(), why)};
}

void Connection::OnIo(std::uint32_t epoll_events) {
  if (!open_ && !DecideConnect()) return;
  if ((epoll_events & EPOLLOUT) != 0) Flush();
  if (closed_) return;
  if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    for (int i = 0; i < kReadsPerTurn && Read(); ++i) {
    }
  }
}

bool Connection::DecideConnect() {
  if (const int error = SocketError(fd_.get()); error != 0) {
    Close(Error{ErrorCode::kIo,
                fmt::format("cannot connect to {}: {}", server_.ToString(), ErrnoText(error))});
    return false;
  }
  open_ = true;
  hooks_.on_open();
  return !closed_;
}

// True while there may be more to read.
bool Connection::Read() {
  char chunk[kReadBytes];
  const ssize_t got = read(fd_.get(), chunk, sizeof chunk);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got < 0) {
    Close(Lost(ErrnoText(errno)));
    return false;
  }
  if (got == 0) {
    Close(Lost("the server closed the connection"));
    return false;
  }
  in_.append(chunk, static_cast<std::size_t>(got));
  return TakeFrames() && static_cast<std::size_t>(got) == sizeof chunk;
}

bool Connection::TakeFrames() {
  std::size_t taken = 0;
  while (true) {
    const mqtt::Decoded<mqtt::Frame> frame =
        mqtt::NextFrame(std::string_view(in_).substr(taken), kMaxIncomingBytes);
    if (!frame) {
      Close(Lost(fmt::format("sent no MQTT packet ({})", mqtt::FaultName(frame.error()))));
      return false;
    }
    if (frame->size == 0) break;
    taken += frame->size;
    if (Status handled = hooks_.on_frame(*frame); !handled) {
      Close(Lost(handled.error().message));
    }
    if (closed_) return false;
  }
  in_.erase(0, taken);
  Shrink(&in_);
  return true;
}

void Connection::Flush() {
  if (closed_ || !open_) return;
  bool blocked = false;
  while (out_start_ < out_.size() && !blocked) {
    const ssize_t sent =
        send(fd_.get(), out_.data() + out_start_, out_.size() - out_start_, MSG_NOSIGNAL);
    if (sent >= 0) {
      out_start_ += static_cast<std::size_t>(sent);
      written_ += static_cast<std::uint64_t>(sent);
    } else if (errno == EAGAIN || errno == EINTR) {
      blocked = true;
    } else {
      Close(Lost(ErrnoText(errno)));
      return;
    }
  }
  if (out_start_ == out_.size()) {
    out_.clear();
    out_start_ = 0;
    Shrink(&out_);
    if (finishing_) shutdown(fd_.get(), SHUT_WR);
  } else if (out_start_ > kKeptBufferBytes) {
    out_.erase(0, out_start_);
    out_start_ = 0;
  }
  WatchWritable(blocked);
  hooks_.on_written();
}

void Connection::FinishSending() {
  finishing_ = true;
  Flush();
}

void Connection::WatchWritable(bool on) {
  if (on == watching_writable_) return;
  watching_writable_ = on;
  const std::uint32_t events = on ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (Status modified = loop_->Modify(fd_.get(), events, this); !modified) Close(modified.error());
}

}  // namespace atalaya::cloud_client
