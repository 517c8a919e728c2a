#include "stress/transport.h"

#include <sys/socket.h>

#include <cerrno>

#include "stress/ws_transport.h"

namespace atalaya::stress {
namespace {

class PlainTransport : public Transport {
 public:
  Outcome Open(int /*fd*/) override { return Outcome::kDone; }

  Outcome Read(int fd, std::span<char> into, std::size_t* got) override {
    return Judge(recv(fd, into.data(), into.size(), 0), true, got);
  }

  Outcome Write(int fd, std::string_view bytes, std::size_t* taken) override {
    return Judge(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), false, taken);
  }

  std::string error() const override { return error_; }

 private:
  Outcome Judge(ssize_t moved, bool reading, std::size_t* bytes) {
    if (moved > 0 || (moved == 0 && !reading)) {
      *bytes = static_cast<std::size_t>(moved);
      return Outcome::kDone;
    }
    if (moved == 0) return Outcome::kClosed;
    if (errno == EAGAIN || errno == EINTR) return Outcome::kBlocked;
    if (errno == ECONNRESET || errno == EPIPE) return Outcome::kClosed;
    error_ = ErrnoText(errno);
    return Outcome::kFailed;
  }

  std::string error_;
};

class TlsTransport : public Transport {
 public:
  explicit TlsTransport(std::unique_ptr<TlsStream> stream) : stream_(std::move(stream)) {}

  Outcome Open(int /*fd*/) override { return Judge(stream_->Handshake()); }
  Outcome Read(int /*fd*/, std::span<char> into, std::size_t* got) override {
    return Judge(stream_->Read(into, got));
  }
  Outcome Write(int /*fd*/, std::string_view bytes, std::size_t* taken) override {
    return Judge(stream_->Write(bytes, taken));
  }
  std::string error() const override { return "TLS: " + stream_->error(); }

 private:
  static Outcome Judge(TlsStream::Outcome outcome) {
    switch (outcome) {
      case TlsStream::Outcome::kDone:
        return Outcome::kDone;
      case TlsStream::Outcome::kWantRead:
      case TlsStream::Outcome::kWantWrite:
        return Outcome::kBlocked;
      case TlsStream::Outcome::kClosed:
        return Outcome::kClosed;
      case TlsStream::Outcome::kFailed:
        break;
    }
    return Outcome::kFailed;
  }

  std::unique_ptr<TlsStream> stream_;
};

}  // namespace

Result<TransportMaker> TransportMaker::Create(const Target& target) {
  TransportMaker maker(target);
  if (target.tls) {
    Result<std::shared_ptr<const TlsContext>> context =
        TlsContext::ForClient({.ca_file = target.ca_file});
    if (!context) return Forward(context.error());
    maker.tls_ = std::move(*context);
  }
  return maker;
}

Result<std::unique_ptr<Transport>> TransportMaker::Make(int fd) const {
  std::unique_ptr<Transport> transport;
  if (tls_) {
    Result<std::unique_ptr<TlsStream>> stream = TlsStream::Connect(tls_, fd, target_.address.host);
    if (!stream) return Forward(stream.error());
    transport = std::make_unique<TlsTransport>(std::move(*stream));
  }
  if (target_.websocket) {
    if (!transport) transport = std::make_unique<PlainTransport>();
    transport = std::make_unique<WsTransport>(std::move(transport), target_);
  }
  return transport;
}

}  // namespace atalaya::stress
