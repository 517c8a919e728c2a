#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "stress/fault.h"
#include "stress/target.h"

namespace atalaya::stress {

// Clients that behave badly, beside those of the run: opens `fault.count` connections over plain
// TCP from a thread of its own, does what the fault says, and holds them until it is ended. The
// kinds are kSlowReaders, kHalfOpen, kMalformed and kConnectStorm.
class FaultClients {
 public:
  // `filter`: what slow readers subscribe to; `name` tells their client ids from others.
  FaultClients(const Fault& fault, const TargetAddress& target, std::string filter,
               std::string name);
  ~FaultClients();  // Ends them.

  // Ends them and says what became of them: "200 connections: 0 refused, 200 closed by the server".
  std::string End();

 private:
  struct Client;
  void Run();
  void Open(Client& client);
  void OnReady(Client& client, short events);
  std::string Greeting(std::size_t index) const;

  Fault fault_;
  TargetAddress target_;
  std::string filter_, name_;
  UniqueFd stop_;
  std::uint64_t refused_ = 0, welcomed_ = 0, closed_ = 0;
  std::thread thread_;
};

}  // namespace atalaya::stress
