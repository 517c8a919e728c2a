#include "cloud_server/listener.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "cloud_server/tls_transport.h"
#include "cloud_server/ws_transport.h"

namespace atalaya::cloud_server {

Result<std::shared_ptr<const ListenerSetup>> ListenerSetup::Load(const ListenerConfig& config) {
  auto setup = std::make_shared<ListenerSetup>();
  setup->config = config;
  setup->origins = std::make_shared<const OriginRule>(config.origins);
  if (HasTls(config.protocol)) {
    Result<std::shared_ptr<const TlsContext>> tls = TlsContext::ForServer(config.tls);
    if (!tls) return Fail(tls.error().code, "{}: {}", config.place, tls.error().message);
    setup->tls = std::move(*tls);
    if (setup->tls->certificate_ends_ms() < SystemClock().NowMs()) {
      LogWarning("{}: the certificate in {} has expired", config.place,
                 config.tls.certificate_file);
    }
  }
  return std::shared_ptr<const ListenerSetup>(std::move(setup));
}

// Linux takes a listening socket that is shut down out of its port at once.
void Listener::Refuse() { shutdown(fd_.get(), SHUT_RD); }

Result<std::unique_ptr<Listener>> Listener::Open(std::shared_ptr<const ListenerSetup> setup,
                                                 std::uint16_t index) {
  const ListenerConfig& config = setup->config;
  Result<UniqueFd> fd = ListenTcp(config.address);
  if (!fd) {
    return Fail(fd.error().code, "{}: {}; choose another address", config.place,
                fd.error().message);
  }
  SetNoDelay(fd->get());  // Accepted sockets inherit it.
  Result<HostPort> address = LocalAddress(fd->get());
  if (!address) return Forward(address.error());
  return std::unique_ptr<Listener>(
      new Listener(std::move(setup), index, std::move(*fd), std::move(*address)));
}

Listener::Listener(std::shared_ptr<const ListenerSetup> setup, std::uint16_t index, UniqueFd fd,
                   HostPort address)
    : index_(index),
      protocol_(setup->config.protocol),
      fd_(std::move(fd)),
      address_(std::move(address)),
      setup_(std::move(setup)) {}

std::shared_ptr<const ListenerSetup> Listener::setup() const {
  const std::lock_guard lock(mutex_);
  return setup_;
}

void Listener::Replace(std::shared_ptr<const ListenerSetup> setup) {
  const std::lock_guard lock(mutex_);
  setup_ = std::move(setup);
}

Status Listener::MakeTransport(int fd, std::unique_ptr<Transport>* transport) const {
  if (protocol_ == Protocol::kMqtt) return {};
  const std::shared_ptr<const ListenerSetup> now = setup();
  if (HasTls(protocol_)) {
    Result<std::unique_ptr<TlsStream>> stream = TlsStream::Accept(now->tls, fd);
    if (!stream) return Forward(stream.error());
    *transport = std::make_unique<TlsTransport>(std::move(*stream));
  }
  if (HasWebSocket(protocol_)) {
    *transport = std::make_unique<WsTransport>(std::move(*transport), now->origins);
  }
  return {};
}

}  // namespace atalaya::cloud_server
