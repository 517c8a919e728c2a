#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "base/latency_histogram.h"
#include "bench/meter/modes.h"
#include "bench/meter/quit.h"
#include "bench/meter/usage.h"

namespace atalaya::bench {
namespace {

constexpr char kPacedTopic[] = "t/00000";

// Takes the send times out of the messages that arrive.
class PacedReceiver {
 public:
  PacedReceiver(Client* client, const DeliveryLayout& layout)
      : client_(client), layout_(layout), buffer_(1u << 20, '\0') {}

  void Read(LatencyHistogram* latency) {
    kept_ += client_->Read(buffer_.data() + kept_, buffer_.size() - kept_);
    const std::int64_t now_ns = SystemClock().SteadyNs();
    std::size_t at = 0;
    for (; kept_ - at >= layout_.bytes; at += layout_.bytes) {
      std::int64_t sent_ns = 0;
      std::memcpy(&sent_ns, buffer_.data() + at + layout_.payload_at, sizeof sent_ns);
      latency->Record(now_ns - sent_ns);
    }
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(at),
              buffer_.begin() + static_cast<std::ptrdiff_t>(kept_), buffer_.begin());
    kept_ -= at;
  }

 private:
  Client* client_;
  DeliveryLayout layout_;
  std::string buffer_;
  std::size_t kept_ = 0;
};

// Waits for bytes until `due_ns` at the latest.
bool WaitReadable(int fd, std::int64_t due_ns) {
  const std::int64_t left_ns = std::max<std::int64_t>(due_ns - SystemClock().SteadyNs(), 0);
  const timespec timeout{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
  pollfd ready{fd, POLLIN, 0};
  return ppoll(&ready, 1, &timeout, nullptr) > 0;
}

}  // namespace

void RunPaced(const Target& target, std::size_t payload_bytes, std::int64_t rate, double seconds) {
  prctl(PR_SET_TIMERSLACK, 1);  // Nanoseconds: by default a wait may end 50 us late.
  Client subscriber(target, "s0");
  Client publisher(target, "p0");
  subscriber.Subscribe({kPacedTopic});
  Settle(target, {&subscriber, &publisher});
  subscriber.SetNonBlocking();
  const DeliveryLayout layout = LayoutOf(target.protocol, kPacedTopic, payload_bytes);
  PacedReceiver receiver(&subscriber, layout);
  std::string payload(payload_bytes, 'x');
  const auto messages = static_cast<std::int64_t>(static_cast<double>(rate) * seconds);
  const std::int64_t distance_ns = 1'000'000'000 / rate;
  LatencyHistogram latency;
  std::int64_t late = 0;
  std::int64_t sent = 0;
  const Interval interval(target.pid);
  const std::int64_t start_ns = SystemClock().SteadyNs();
  while (latency.count() < static_cast<std::uint64_t>(messages)) {
    const std::int64_t due_ns = start_ns + sent * distance_ns;
    const std::int64_t now_ns = SystemClock().SteadyNs();
    if (sent < messages && now_ns >= due_ns) {
      if (now_ns - due_ns > distance_ns) ++late;
      std::memcpy(payload.data(), &now_ns, sizeof now_ns);
      publisher.Write(PublishBytes(target.protocol, kPacedTopic, payload));
      ++sent;
      continue;
    }
    if (WaitReadable(subscriber.fd(), sent < messages ? due_ns : now_ns + 1'000'000'000))
      receiver.Read(&latency);
  }
  const auto us = [&](double percent) {
    return static_cast<double>(latency.PercentileNs(percent)) / 1e3;
  };
  interval.Print(
      messages, messages,
      fmt::format(", \"p50_us\": {:.1f}, \"p99_us\": {:.1f}, \"late\": {}", us(50), us(99), late));
}

}  // namespace atalaya::bench
