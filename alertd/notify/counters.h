#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace atalaya::alertd {

struct ReceiverCounters {
  std::string receiver;
  std::uint64_t sent = 0;     // Accepted by the receiver; of an email, by one recipient.
  std::uint64_t failed = 0;   // Refused for good.
  std::uint64_t retried = 0;  // Attempts that failed and will be made again.
  std::uint64_t dropped =
      0;  // Given up for a limit or because the receiver left the configuration.
  std::uint64_t waiting = 0;  // In the outbox now; a gauge.
};

// What notify/ counts since the program began, by receiver. Threads: any.
class NotifyCounters {
 public:
  void AddSent(const std::string& receiver);
  void AddFailed(const std::string& receiver);
  void AddRetried(const std::string& receiver);
  void AddDropped(const std::string& receiver, std::uint64_t count = 1);
  void SetWaiting(const std::map<std::string, std::uint64_t>& by_receiver);  // Others become 0.

  // Makes `receiver` appear with zeros.
  void Declare(const std::string& receiver);

  std::vector<ReceiverCounters> Snapshot() const;  // Sorted by receiver.

 private:
  ReceiverCounters& At(const std::string& receiver);

  mutable std::mutex mutex_;
  std::map<std::string, ReceiverCounters> receivers_;
};

}  // namespace atalaya::alertd
