#include "cloud_client/tls.h"

#include <sys/socket.h>

#include <utility>

#include "base/tls.h"
#include "cloud_client/transport.h"

namespace atalaya::cloud_client {
namespace {

class TlsTransport : public Transport {
 public:
  TlsTransport(int fd, std::unique_ptr<TlsStream> stream) : fd_(fd), stream_(std::move(stream)) {}

  Outcome Read(std::span<char> into, std::size_t* got) override {
    return Translate(stream_->Read(into, got));
  }
  Outcome Write(std::string_view bytes, std::size_t* taken) override {
    return Translate(stream_->Write(bytes, taken));
  }
  bool HasBuffered() const override { return stream_->HasBuffered(); }
  void Shutdown() override {
    stream_->Shutdown();
    shutdown(fd_, SHUT_WR);
  }
  std::string error() const override { return "TLS: " + stream_->error(); }

 private:
  static Outcome Translate(TlsStream::Outcome outcome) {
    switch (outcome) {
      case TlsStream::Outcome::kDone:
        return Outcome::kDone;
      case TlsStream::Outcome::kWantRead:
        return Outcome::kWantRead;
      case TlsStream::Outcome::kWantWrite:
        return Outcome::kWantWrite;
      case TlsStream::Outcome::kClosed:
        return Outcome::kClosed;
      case TlsStream::Outcome::kFailed:
        break;
    }
    return Outcome::kFailed;
  }

  int fd_;
  std::unique_ptr<TlsStream> stream_;
};

class OpenSslTls : public Tls {
 public:
  explicit OpenSslTls(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {}

  Result<std::unique_ptr<Transport>> Connect(int fd,
                                             const std::string& server_name) const override {
    Result<std::unique_ptr<TlsStream>> stream = TlsStream::Connect(context_, fd, server_name);
    if (!stream) return Forward(stream.error());
    return std::make_unique<TlsTransport>(fd, std::move(*stream));
  }

 private:
  std::shared_ptr<const TlsContext> context_;
};

}  // namespace

Result<std::shared_ptr<const Tls>> MakeTls(const TlsOptions& options) {
  Result<std::shared_ptr<const TlsContext>> context =
      TlsContext::ForClient({.ca_file = options.ca_file,
                             .certificate_file = options.certificate_file,
                             .key_file = options.key_file});
  if (!context) return Forward(context.error());
  return std::make_shared<const OpenSslTls>(std::move(*context));
}

}  // namespace atalaya::cloud_client
