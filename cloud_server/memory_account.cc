#include "cloud_server/memory_account.h"

#include <atomic>
#include <utility>

namespace atalaya::cloud_server {
namespace {

std::atomic<std::int64_t> message_bytes{0};
thread_local std::int64_t unsaid_bytes = 0;

}  // namespace

void AccountMessage(std::int64_t bytes) {
  unsaid_bytes += bytes;
  if (unsaid_bytes >= kMemorySlackBytes || unsaid_bytes <= -kMemorySlackBytes) {
    SettleMessageAccount();
  }
}

void SettleMessageAccount() {
  message_bytes.fetch_add(std::exchange(unsaid_bytes, 0), std::memory_order_relaxed);
}

std::int64_t MessageMemory() { return message_bytes.load(std::memory_order_relaxed); }

}  // namespace atalaya::cloud_server
