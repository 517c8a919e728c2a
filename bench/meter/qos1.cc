#include <poll.h>

#include <algorithm>
#include <array>

#include "bench/meter/modes.h"
#include "bench/meter/quit.h"
#include "bench/meter/usage.h"

namespace atalaya::bench {
namespace {

constexpr char kQos1Topic[] = "t/00000";
constexpr std::int64_t kPacketIds = 65'535;
constexpr std::size_t kAckBytes = 4;
constexpr std::size_t kQos1BufferBytes = 1u << 20;

// Publishes at QoS 1 and counts the PUBACKs.
class Qos1Sender {
 public:
  Qos1Sender(const Target& target, const Qos1Plan& plan)
      : client_(target, "pq"),
        plan_(plan),
        packet_(PublishBytes(target.protocol, kQos1Topic, std::string(plan.payload_bytes, 'x'),
                             mqtt::Qos::k1, 1)) {
    id_at_ = packet_.size() - plan.payload_bytes - 2;
  }

  void Fill() {
    const std::int64_t count = std::min(plan_.window - (sent_ - acked()), plan_.messages - sent_);
    if (count <= 0) return;
    std::string block;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t id = sent_++ % kPacketIds + 1;
      packet_[id_at_] = static_cast<char>(id >> 8);
      packet_[id_at_ + 1] = static_cast<char>(id & 0xff);
      block += packet_;
    }
    client_.Write(block);
  }

  void ReadAcks() {
    std::array<char, 64u << 10> buffer;
    ack_bytes_ += static_cast<std::int64_t>(client_.Read(buffer.data(), buffer.size()));
  }

  std::int64_t acked() const { return ack_bytes_ / static_cast<std::int64_t>(kAckBytes); }
  int fd() const { return client_.fd(); }

 private:
  Client client_;
  const Qos1Plan& plan_;
  std::string packet_;
  std::size_t id_at_ = 0;
  std::int64_t sent_ = 0;
  std::int64_t ack_bytes_ = 0;
};

// Receives at QoS 1 and acknowledges each message.
class Qos1Receiver {
 public:
  Qos1Receiver(const Target& target, const Qos1Plan& plan)
      : client_(target, "sq", !plan.persistent),
        layout_(LayoutOf(target.protocol, kQos1Topic, plan.payload_bytes, mqtt::Qos::k1)),
        buffer_(kQos1BufferBytes, '\0') {
    client_.Subscribe({kQos1Topic}, mqtt::Qos::k1);
  }

  void ReadAndAcknowledge() {
    kept_ += client_.Read(buffer_.data() + kept_, buffer_.size() - kept_);
    std::string acks;
    std::size_t at = 0;
    for (; kept_ - at >= layout_.bytes; at += layout_.bytes) {
      acks += {0x40, 2};
      acks.append(buffer_, at + layout_.payload_at - 2, 2);
      ++received_;
    }
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(at),
              buffer_.begin() + static_cast<std::ptrdiff_t>(kept_), buffer_.begin());
    kept_ -= at;
    client_.Write(acks);
  }

  std::int64_t received() const { return received_; }
  int fd() const { return client_.fd(); }

 private:
  Client client_;
  DeliveryLayout layout_;
  std::string buffer_;
  std::size_t kept_ = 0;
  std::int64_t received_ = 0;
};

}  // namespace

void RunQos1(const Target& target, const Qos1Plan& plan) {
  Qos1Receiver receiver(target, plan);
  Qos1Sender sender(target, plan);
  Settle(target, {});
  const Interval interval(target.pid);
  while (receiver.received() < plan.messages || sender.acked() < plan.messages) {
    sender.Fill();
    std::array<pollfd, 2> ready{{{sender.fd(), POLLIN, 0}, {receiver.fd(), POLLIN, 0}}};
    if (poll(ready.data(), ready.size(), kSilenceMs) == 0)
      Quit("the server fell silent: {} of {} messages came, {} were acknowledged",
           receiver.received(), plan.messages, sender.acked());
    if (ready[0].revents != 0) sender.ReadAcks();
    if (ready[1].revents != 0) receiver.ReadAndAcknowledge();
  }
  if (receiver.received() != plan.messages) Quit("more came than was published");
  interval.Print(plan.messages, plan.messages);
}

}  // namespace atalaya::bench
