#include "cloud_client/connection.h"

#include <sys/epoll.h>

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

Result<std::unique_ptr<Connection>> Connection::Open(EventLoop* loop,
                                                     const ConnectionTarget& target,
                                                     ConnectionHooks hooks) {
  Result<UniqueFd> fd = StartConnectTcp(target.address);
  if (!fd) return Forward(fd.error());
  const int raw = fd->get();
  Result<std::unique_ptr<Transport>> transport =
      target.tls ? target.tls->Connect(raw, target.server.host) : MakePlainTransport(raw);
  if (!transport) return Forward(transport.error());
  std::unique_ptr<Connection> connection(new Connection(loop, target.address, std::move(hooks),
                                                        std::move(*fd), std::move(*transport)));
  if (Status added = loop->Add(raw, EPOLLIN | EPOLLOUT, connection.get()); !added) {
    connection->closed_ = true;
    return Forward(added.error());
  }
  return connection;
}

Connection::Connection(EventLoop* loop, HostPort address, ConnectionHooks hooks, UniqueFd fd,
                       std::unique_ptr<Transport> transport)
    : loop_(loop),
      address_(std::move(address)),
      hooks_(std::move(hooks)),
      fd_(std::move(fd)),
      transport_(std::move(transport)) {}

Connection::~Connection() {
  if (!closed_) loop_->Remove(fd_.get(), this);
}

void Connection::Close(Error why) {
  if (closed_) return;
  closed_ = true;
  loop_->Remove(fd_.get(), this);
  transport_.reset();
  fd_.Reset();
  hooks_.on_closed(std::move(why));
}

Error Connection::Lost(std::string_view why) const {
  return Error{ErrorCode::kIo, fmt::format("{}: {}", address_.ToString(), why)};
}

// Under TLS reading may have to wait for room to write, and the other way round: either event wakes
// both.
void Connection::OnIo(std::uint32_t epoll_events) {
  if (!open_ && !DecideConnect()) return;
  if ((epoll_events & EPOLLOUT) != 0 || unsent_bytes() > 0) Flush();
  if (closed_) return;
  if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 || read_wants_write_) {
    for (int i = 0; Read() && (i < kReadsPerTurn || transport_->HasBuffered()); ++i) {
    }
  }
}

bool Connection::DecideConnect() {
  if (const int error = SocketError(fd_.get()); error != 0) {
    Close(Error{ErrorCode::kIo,
                fmt::format("cannot connect to {}: {}", address_.ToString(), ErrnoText(error))});
    return false;
  }
  open_ = true;
  hooks_.on_open();
  return !closed_;
}

// True while there may be more to read.
bool Connection::Read() {
  char chunk[kReadBytes];
  std::size_t got = 0;
  const Transport::Outcome outcome = transport_->Read(chunk, &got);
  read_wants_write_ = outcome == Transport::Outcome::kWantWrite;
  switch (outcome) {
    case Transport::Outcome::kDone:
      in_.append(chunk, got);
      return TakeFrames() && (got == sizeof chunk || transport_->HasBuffered());
    case Transport::Outcome::kWantRead:
      return false;
    case Transport::Outcome::kWantWrite:
      WatchWritable(true);
      return false;
    case Transport::Outcome::kClosed:
      Close(Lost("the server closed the connection"));
      return false;
    case Transport::Outcome::kFailed:
      break;
  }
  Close(Lost(transport_->error()));
  return false;
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
  bool blocked = read_wants_write_;
  bool taking = true;
  write_wants_read_ = false;
  while (out_start_ < out_.size() && taking) {
    std::size_t taken = 0;
    const Transport::Outcome outcome =
        transport_->Write(std::string_view(out_).substr(out_start_), &taken);
    switch (outcome) {
      case Transport::Outcome::kDone:
        out_start_ += taken;
        written_ += taken;
        continue;
      case Transport::Outcome::kWantWrite:
        blocked = true;
        break;
      case Transport::Outcome::kWantRead:
        write_wants_read_ = true;
        break;
      case Transport::Outcome::kClosed:
        return Close(Lost("the server closed the connection"));
      case Transport::Outcome::kFailed:
        return Close(Lost(transport_->error()));
    }
    taking = false;
  }
  if (out_start_ == out_.size()) {
    out_.clear();
    out_start_ = 0;
    Shrink(&out_);
    if (finishing_) transport_->Shutdown();
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
