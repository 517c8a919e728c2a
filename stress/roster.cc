#include "stress/roster.h"

#include <algorithm>

namespace atalaya::stress {

Roster::Roster(const Scenario* scenario, std::uint32_t run_id, std::size_t workers)
    : scenario_(scenario), run_id_(run_id), workers_(workers), first_publisher_{0} {
  for (const Flow& flow : scenario->flows) {
    first_publisher_.push_back(first_publisher_.back() +
                               static_cast<std::uint32_t>(flow.publishers));
  }
}

std::uint32_t Roster::TopicIndex(const Member& member) const {
  return static_cast<std::uint32_t>(member.index % FlowOf(member).topics);
}

std::vector<Member> Roster::MembersOf(std::size_t worker) const {
  std::vector<Member> members;
  for (const Role role : {Role::kSubscriber, Role::kIdle, Role::kPublisher}) {
    for (std::size_t at = 0; at < scenario_->flows.size(); ++at) {
      const Flow& flow = scenario_->flows[at];
      const std::int64_t count = role == Role::kSubscriber ? flow.subscribers
                                 : role == Role::kIdle     ? flow.idle
                                                           : flow.publishers;
      // Where topics are fewer than workers, listeners are spread all the same.
      const bool by_topic =
          role == Role::kPublisher || (role == Role::kSubscriber && !flow.subscribe_all &&
                                       flow.topics >= static_cast<std::int64_t>(workers_));
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t key = by_topic ? i % flow.topics : i;
        if (static_cast<std::size_t>(key) % workers_ != worker) continue;
        members.push_back({role, static_cast<std::uint16_t>(at), static_cast<std::uint32_t>(i)});
      }
    }
  }
  return members;
}

std::string Roster::ClientId(const Member& member) const {
  constexpr char kLetters[] = {'s', 'i', 'p'};
  return fmt::format("{}-{:08x}-{}-{}", kLetters[static_cast<int>(member.role)], run_id_,
                     member.flow, member.index);
}

std::string Roster::TopicPrefix(std::size_t flow) const {
  return fmt::format("{}/{:08x}/{}/", scenario_->topic_prefix, run_id_, flow);
}

std::string Roster::Topic(const Member& publisher) const {
  return fmt::format("{}{}", TopicPrefix(publisher.flow), TopicIndex(publisher));
}

std::string Roster::Filter(const Member& subscriber) const {
  const Flow& flow = FlowOf(subscriber);
  std::string filter = TopicPrefix(subscriber.flow) +
                       (flow.subscribe_all ? "+" : std::to_string(TopicIndex(subscriber)));
  if (flow.shared)
    filter = fmt::format("$share/stress-{:08x}-{}/{}", run_id_, subscriber.flow, filter);
  return filter;
}

std::uint32_t Roster::ListenersOf(const Member& publisher) const {
  const Flow& flow = FlowOf(publisher);
  const std::int64_t topic = TopicIndex(publisher);
  const std::int64_t own =
      topic >= flow.subscribers ? 0 : (flow.subscribers - topic + flow.topics - 1) / flow.topics;
  const std::int64_t all = flow.subscribe_all ? flow.subscribers : own;
  return static_cast<std::uint32_t>(flow.shared ? std::min<std::int64_t>(all, 1) : all);
}

std::size_t Roster::LinkCount(const Member& subscriber) const {
  const Flow& flow = FlowOf(subscriber);
  if (flow.subscribe_all) return static_cast<std::size_t>(flow.publishers);
  const std::int64_t topic = TopicIndex(subscriber);
  return topic >= flow.publishers
             ? 0
             : static_cast<std::size_t>((flow.publishers - topic + flow.topics - 1) / flow.topics);
}

std::optional<std::size_t> Roster::LinkOf(const Member& subscriber, std::uint32_t index) const {
  const Flow& flow = FlowOf(subscriber);
  if (flow.subscribe_all) return index;
  const auto topics = static_cast<std::uint32_t>(flow.topics);
  if (index % topics != TopicIndex(subscriber)) return std::nullopt;
  return index / topics;
}

std::uint32_t Roster::PublisherOf(const Member& subscriber, std::size_t link) const {
  const Flow& flow = FlowOf(subscriber);
  const auto number = static_cast<std::uint32_t>(link);
  if (flow.subscribe_all) return number;
  return number * static_cast<std::uint32_t>(flow.topics) + TopicIndex(subscriber);
}

}  // namespace atalaya::stress
