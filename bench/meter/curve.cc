#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <random>

#include "base/clock.h"
#include "bench/meter/modes.h"
#include "bench/meter/pipe.h"
#include "bench/meter/quit.h"
#include "bench/meter/usage.h"

namespace atalaya::bench {
namespace {

constexpr std::size_t kTopics = 1'000;
constexpr std::size_t kPayloadBytes = 64;
constexpr std::size_t kPublishers = 16;
constexpr std::int64_t kWindow = 4'000;
constexpr std::int64_t kWindowEach = kWindow / kPublishers;
constexpr std::int64_t kFiltersPerClient = 50'000;
constexpr std::int64_t kFiltersPerPacket = 500;
constexpr double kSubscribesPerSecond = 1'000;
constexpr std::uint32_t kSeed = 1;

std::string CurveTopic(std::size_t i) { return fmt::format("curve/{:05}", i); }

// Every topic once, in an order that no cache of a few foresees, from the `first`-th on.
std::string BlockOfAllTopics(Protocol protocol, std::size_t first) {
  std::vector<std::size_t> order(kTopics);
  for (std::size_t i = 0; i < kTopics; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(kSeed));
  std::rotate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(first), order.end());
  std::string block;
  for (const std::size_t i : order)
    block += PublishBytes(protocol, CurveTopic(i), std::string(kPayloadBytes, 'x'));
  return block;
}

// Clients that publish to all topics, each from another one on. A server with several threads may
// serve a publisher in the receiver's thread or in another, which costs more; by a hash it is
// either, so the figure of one publisher would be that of a coin. These are some of both.
class Publishers {
 public:
  explicit Publishers(const Target& target) {
    for (std::size_t i = 0; i < kPublishers; ++i) {
      clients_.push_back(std::make_unique<Client>(target, fmt::format("publisher{}", i)));
      const std::string block = BlockOfAllTopics(target.protocol, i * kTopics / kPublishers);
      streams_.emplace_back(clients_.back().get(), block, block.size() / kTopics);
    }
  }

  void SetNonBlocking() {
    for (const auto& client : clients_) client->SetNonBlocking();
  }

  // Lets each send a part of what is open until `limit` messages have left in all.
  void SendUpTo(std::int64_t limit) {
    for (Stream& stream : streams_) {
      const std::int64_t open = std::min(limit - sent_, kWindowEach);
      const std::int64_t before = stream.sent();
      stream.SendUpTo(before + open, LeastOf(kWindow));
      sent_ += stream.sent() - before;
    }
    std::rotate(streams_.begin(), streams_.begin() + 1, streams_.end());
  }

  std::int64_t sent() const { return sent_; }

 private:
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Stream> streams_;
  std::int64_t sent_ = 0;
};

// The clients that hold the subscriptions nothing is published to.
std::vector<std::unique_ptr<Client>> Load(const Target& target, std::int64_t count) {
  std::vector<std::unique_ptr<Client>> holders;
  std::int64_t made = 0;
  while (made < count) {
    holders.push_back(std::make_unique<Client>(target, fmt::format("holder{}", holders.size())));
    const std::int64_t until = std::min(count, made + kFiltersPerClient);
    while (made < until) {
      std::vector<std::string> filters;
      for (; made < until && std::ssize(filters) < kFiltersPerPacket; ++made) {
        filters.push_back(fmt::format("load/{}/{}", made % 1'000, made));
      }
      holders.back()->Subscribe(filters);
    }
  }
  return holders;
}

// A client that subscribes to something new again and again.
class Subscriber {
 public:
  explicit Subscriber(const Target& target)
      : protocol_(target.protocol), client_(target, "subscriber") {}

  // As many as are due after `seconds`; takes the answers that have come.
  void CatchUp(double seconds) {
    const auto due = static_cast<std::int64_t>(seconds * kSubscribesPerSecond);
    for (; sent_ < due; ++sent_) {
      client_.Write(SubscribeBytes(protocol_, {fmt::format("more/{}/{}", sent_ % 100, total_++)}));
    }
    std::array<char, 4096> answers;
    const ssize_t got = recv(client_.fd(), answers.data(), answers.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) Quit("the subscriber was disconnected");
    if (got > 0) answered_bytes_ += got;
  }

  void Begin() { sent_ = answered_bytes_ = 0; }
  std::int64_t sent() const { return sent_; }
  std::int64_t answered() const { return answered_bytes_ / 5; }

 private:
  Protocol protocol_;
  Client client_;
  std::int64_t total_ = 0;
  std::int64_t sent_ = 0;
  std::int64_t answered_bytes_ = 0;
};

void RunPhase(const Target& target, double seconds, Publishers* publishers, Drain* drain,
              Subscriber* subscriber) {
  const std::int64_t before = drain->received();
  if (subscriber != nullptr) subscriber->Begin();
  const Interval interval(target.pid);
  double now_s = 0;
  const auto answers_due = [&] {
    return subscriber != nullptr && subscriber->answered() < subscriber->sent();
  };
  while (now_s < seconds || drain->received() < publishers->sent() || answers_due()) {
    if (now_s < seconds) publishers->SendUpTo(drain->received() + kWindow);
    if (subscriber != nullptr) subscriber->CatchUp(std::min(now_s, seconds));
    drain->Read();
    now_s = interval.seconds();
  }
  const std::int64_t messages = drain->received() - before;
  std::string more = ", \"phase\": \"steady\"";
  if (subscriber != nullptr) {
    more = fmt::format(", \"phase\": \"subscribing\", \"subscribes\": {}", subscriber->sent());
  }
  interval.Print(messages, messages, more);
}

}  // namespace

void RunCurve(const Target& target, const CurvePlan& plan) {
  Client receiver(target, "receiver");
  Publishers publishers(target);
  Subscriber subscriber(target);
  receiver.Subscribe({"curve/#"});
  const std::int64_t others = plan.subscriptions - 1;
  const std::int64_t rss_before = ServerRssBytes(target.pid);
  const Interval loading(target.pid);
  const auto holders = Load(target, others);
  if (others > 0) {
    const double bytes_each =
        static_cast<double>(ServerRssBytes(target.pid) - rss_before) / static_cast<double>(others);
    loading.Print(others, others,
                  fmt::format(", \"phase\": \"load\", \"bytes_each\": {:.0f}", bytes_each));
  }
  Settle(target, {&receiver});
  receiver.SetNonBlocking();
  publishers.SetNonBlocking();
  Drain drain(LayoutOf(target.protocol, CurveTopic(0), kPayloadBytes).bytes);
  drain.Add(&receiver);
  for (int repeat = 0; repeat < plan.repeats; ++repeat) {
    RunPhase(target, plan.seconds, &publishers, &drain, nullptr);
    RunPhase(target, plan.seconds, &publishers, &drain, &subscriber);
  }
}

}  // namespace atalaya::bench
