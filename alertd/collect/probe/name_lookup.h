#pragma once

#include <functional>
#include <vector>

#include "alertd/collect/probe/side_threads.h"
#include "base/net.h"
#include "base/result.h"

namespace atalaya::alertd {

// Looks names up without blocking the loop; an address in digits is its own answer.
// Threads: that of the loop.
class NameLookup {
 public:
  using Addresses = Result<std::vector<HostPort>>;

  explicit NameLookup(SideThreads& threads) : call_(threads) {}

  // `done` gets the addresses in the order to try them, at once where `server` is in digits;
  // kNotFound where it has none.
  void Begin(const HostPort& server, std::function<void(Addresses)> done) {
    if (IsNumericAddress(server.host)) return done(std::vector<HostPort>{server});
    call_.Begin([server] { return ResolveTcp(server); }, std::move(done));
  }
  void Cancel() { call_.Cancel(); }

 private:
  SideCall<Addresses> call_;
};

}  // namespace atalaya::alertd
