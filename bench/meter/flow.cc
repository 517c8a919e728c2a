#include <memory>

#include "bench/meter/modes.h"
#include "bench/meter/pipe.h"
#include "bench/meter/quit.h"
#include "bench/meter/usage.h"

namespace atalaya::bench {
namespace {

constexpr std::size_t kBlockBytes = 64u << 10;

std::string PairTopic(std::size_t pair) { return fmt::format("t/{:05}", pair); }

std::string Repeated(const std::string& packet) {
  std::string block;
  while (block.size() < kBlockBytes) block += packet;
  return block;
}

}  // namespace

void RunFlow(const Target& target, const FlowPlan& plan) {
  const std::string payload(plan.payload_bytes, 'x');
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<Client*> receivers;
  Drain drain(LayoutOf(target.protocol, PairTopic(0), plan.payload_bytes).bytes);
  for (std::size_t i = 0; i < plan.pairs; ++i) {
    clients.push_back(std::make_unique<Client>(target, fmt::format("s{}", i)));
    clients.back()->Subscribe({PairTopic(plan.fan_out ? 0 : i)});
    receivers.push_back(clients.back().get());
  }
  std::vector<Stream> streams;
  const std::size_t publishers = plan.fan_out ? 1 : plan.pairs;
  for (std::size_t i = 0; i < publishers; ++i) {
    clients.push_back(std::make_unique<Client>(target, fmt::format("p{}", i)));
    const std::string packet = PublishBytes(target.protocol, PairTopic(i), payload);
    streams.emplace_back(clients.back().get(), Repeated(packet), packet.size());
  }
  Settle(target, receivers);
  for (const auto& client : clients) client->SetNonBlocking();
  for (Client* receiver : receivers) drain.Add(receiver);

  const std::int64_t each = plan.messages / static_cast<std::int64_t>(publishers);
  const auto subscribers = static_cast<std::int64_t>(plan.pairs);
  const std::int64_t expected =
      plan.fan_out ? each * subscribers : each * static_cast<std::int64_t>(publishers);
  const Interval interval(target.pid);
  while (drain.received() < expected) {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      const std::int64_t arrived =
          plan.fan_out ? drain.received() / subscribers : drain.received(i);
      const std::int64_t limit = std::min(arrived + plan.window, each);
      streams[i].SendUpTo(limit, limit == each ? 1 : LeastOf(plan.window));
    }
    drain.Read();
  }
  if (drain.received() != expected || !drain.whole()) Quit("more came than was published");
  interval.Print(each * static_cast<std::int64_t>(publishers), expected);
}

}  // namespace atalaya::bench
