#include "alertd/collect/probe/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/net.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kReadBytes = 4'096;  // At once.

}  // namespace

Connection::Connection(ProbeTools& tools, const ProbeTls& tls, Events events)
    : tools_(tools), tls_(tls), events_(std::move(events)) {}

Connection::~Connection() { Close(); }

void Connection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (stream_) stream_->Shutdown();
  stream_.reset();
  if (!fd_) return;
  tools_.loop.Remove(fd_.get(), this);
  fd_.Reset();
}

void Connection::End(ProbeFaultKind kind, std::string message) {
  Close();
  events_.ended({kind, std::move(message)});
}

void Connection::Open(std::vector<HostPort> addresses, const std::string& name) {
  addresses_.assign(addresses.rbegin(), addresses.rend());
  name_ = name;
  state_ = State::kConnecting;
  begin_ns_ = tools_.clock.SteadyNs();
  TryNext();
}

void Connection::TryNext() {
  if (fd_) tools_.loop.Remove(fd_.get(), this);
  fd_.Reset();
  while (!addresses_.empty()) {
    const HostPort address = std::move(addresses_.back());
    addresses_.pop_back();
    Result<UniqueFd> fd = StartConnectTcp(address);
    wanted_ = EPOLLOUT;
    Status added;
    if (fd) added = tools_.loop.Add(fd->get(), wanted_, this);
    if (fd && added) {
      fd_ = std::move(*fd);
      return;
    }
    refusal_ = fd ? added.error().message : fd.error().message;
  }
  End(ProbeFaultKind::kConnection, refusal_);
}

void Connection::OnIo(std::uint32_t events) {
  switch (state_) {
    case State::kClosed:
      return;
    case State::kConnecting:
      return Connected();
    case State::kHandshake:
      return Handshake();
    case State::kOpen:
      if ((events & EPOLLOUT) != 0) Flush();
      if (state_ == State::kOpen && (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) Read();
      if (state_ == State::kOpen) Want();
  }
}

void Connection::Connected() {
  if (const int error = SocketError(fd_.get()); error != 0) {
    refusal_ = ErrnoText(error);
    return TryNext();
  }
  connected_ns_ = tools_.clock.SteadyNs();
  phases_.connect = std::chrono::nanoseconds(connected_ns_ - begin_ns_);
  if (tls_.on) return BeginTls();
  Opened();
}

void Connection::BeginTls() {
  const Result<std::shared_ptr<const TlsContext>> context = tools_.tls.For(tls_.ca_file);
  if (!context) return End(ProbeFaultKind::kTls, context.error().message);
  Result<std::unique_ptr<TlsStream>> stream = TlsStream::Connect(*context, fd_.get(), name_);
  if (!stream) return End(ProbeFaultKind::kTls, stream.error().message);
  stream_ = std::move(*stream);
  stream_->NoteFacts(&facts_);
  state_ = State::kHandshake;
  Handshake();
}

void Connection::Handshake() {
  const TlsStream::Outcome outcome = stream_->Handshake();
  wants_write_ = outcome == TlsStream::Outcome::kWantWrite;
  switch (outcome) {
    case TlsStream::Outcome::kDone:
      phases_.tls = std::chrono::nanoseconds(tools_.clock.SteadyNs() - connected_ns_);
      return Opened();
    case TlsStream::Outcome::kWantRead:
    case TlsStream::Outcome::kWantWrite:
      return Want();
    case TlsStream::Outcome::kClosed:
    case TlsStream::Outcome::kFailed:
      break;
  }
  const std::string& error = stream_->error();
  End(ProbeFaultKind::kTls,
      fmt::format("TLS: {}", error.empty() ? "the peer ended the connection" : error));
}

void Connection::Opened() {
  state_ = State::kOpen;
  events_.opened();
  if (state_ == State::kOpen) Want();
}

void Connection::Want() {
  const bool writes = wants_write_ || !unsent_.empty();
  const std::uint32_t wanted =
      static_cast<std::uint32_t>(EPOLLIN) | (writes ? static_cast<std::uint32_t>(EPOLLOUT) : 0u);
  if (wanted == wanted_) return;
  wanted_ = wanted;
  if (Status changed = tools_.loop.Modify(fd_.get(), wanted, this); !changed)
    End(ProbeFaultKind::kSystem, changed.error().message);
}

void Connection::Send(std::string_view bytes) {
  unsent_ += bytes;
  Flush();
}

void Connection::Flush() {
  while (!unsent_.empty()) {
    std::size_t taken = 0;
    if (stream_) {
      const TlsStream::Outcome outcome = stream_->Write(unsent_, &taken);
      // What broke is seen by Read, with the reason.
      if (outcome != TlsStream::Outcome::kDone) return;
    } else {
      const ssize_t sent = send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
      if (sent < 0) return;
      taken = static_cast<std::size_t>(sent);
    }
    unsent_.erase(0, taken);
  }
}

void Connection::Read() {
  do {
    char buffer[kReadBytes];
    std::size_t got = 0;
    if (stream_) {
      const TlsStream::Outcome outcome = stream_->Read(buffer, &got);
      if (outcome == TlsStream::Outcome::kWantRead || outcome == TlsStream::Outcome::kWantWrite)
        return;
      if (outcome == TlsStream::Outcome::kFailed)
        return End(ProbeFaultKind::kTls, fmt::format("TLS: {}", stream_->error()));
    } else {
      const ssize_t received = recv(fd_.get(), buffer, sizeof buffer, 0);
      if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (received < 0) return End(ProbeFaultKind::kConnection, ErrnoText(errno));
      got = static_cast<std::size_t>(received);
    }
    if (got == 0) return End(ProbeFaultKind::kConnection, "closed the connection");
    events_.received({buffer, got});
  } while (state_ == State::kOpen && stream_ && stream_->HasBuffered());
}

}  // namespace atalaya::alertd
