#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/net.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "cloud_server/listener_config.h"
#include "cloud_server/transport.h"

namespace atalaya::cloud_server {

// What of a listener a reload replaces: its rules, with certificates and keys read.
struct ListenerSetup {
  ListenerConfig config = {};
  std::shared_ptr<const TlsContext> tls = {};  // nullptr without TLS.
  std::shared_ptr<const OriginRule> origins = {};

  // Reads the files that `config` names; an error names listener and file.
  static Result<std::shared_ptr<const ListenerSetup>> Load(const ListenerConfig& config);
};

// One address that clients come in by. Threads: any.
class Listener {
 public:
  // Binds and listens. kBusy names who holds the port; kIo otherwise.
  static Result<std::unique_ptr<Listener>> Open(std::shared_ptr<const ListenerSetup> setup,
                                                std::uint16_t index);

  int fd() const { return fd_.get(); }
  std::uint16_t index() const { return index_; }
  const HostPort& address() const { return address_; }  // The real one, after port 0.
  Protocol protocol() const { return protocol_; }

  // New connections are refused from now on; no loop may accept any more.
  void Refuse();

  // Those that new connections come under; connections keep the ones that they came under.
  std::shared_ptr<const ListenerSetup> setup() const;
  void Replace(std::shared_ptr<const ListenerSetup> setup);

  // What a new connection on `fd` speaks through: nullptr in `*transport` for plain TCP. kIo where
  // there is no memory.
  Status MakeTransport(int fd, std::unique_ptr<Transport>* transport) const;

 private:
  Listener(std::shared_ptr<const ListenerSetup> setup, std::uint16_t index, UniqueFd fd,
           HostPort address);

  const std::uint16_t index_;
  const Protocol protocol_;
  const UniqueFd fd_;
  const HostPort address_;
  mutable std::mutex mutex_;
  std::shared_ptr<const ListenerSetup> setup_;  // Guarded by mutex_.
};

}  // namespace atalaya::cloud_server
