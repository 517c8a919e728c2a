#include "cloud_server/durable_log.h"

#include "base/clock.h"

namespace atalaya::cloud_server {

void DurableLog::WriteClock() {
  Write(ClockRecord{static_cast<std::uint64_t>(SystemClock().NowMs())});
}

void DurableLog::Submit() {
  if (batch_.empty()) return;
  waiting_.store(true);  // First, so that whoever makes it durable sees that somebody waits.
  const JournalPosition position = durability_->journal().Append(&batch_);
  submitted_.PushBack({ticket_++, position});
}

Ticket DurableLog::Released() {
  if (submitted_.empty()) return released_;
  const JournalPosition durable = durability_->journal().durable();
  while (!submitted_.empty() && submitted_.front().position <= durable) {
    released_ = submitted_.PopFront().ticket;
  }
  if (submitted_.empty()) waiting_.store(false);
  return released_;
}

}  // namespace atalaya::cloud_server
