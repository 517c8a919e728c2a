#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stress/scenario.h"

namespace atalaya::stress {

enum class Role : std::uint8_t { kSubscriber, kIdle, kPublisher };

// One connection of the run.
struct Member {
  Role role = Role::kIdle;
  std::uint16_t flow = 0;
  std::uint32_t index = 0;  // Among those of its role in its flow.
};

// Who takes part in a run, what they are called, and who hears whom. `scenario` must outlive it.
// Threads: any; immutable.
class Roster {
 public:
  Roster(const Scenario* scenario, std::uint32_t run_id, std::size_t workers);

  // In the order in which they connect: whoever listens comes first. Publishers of a topic and
  // those who hear that topic alone are of the same worker.
  std::vector<Member> MembersOf(std::size_t worker) const;

  std::uint32_t run_id() const { return run_id_; }
  const Scenario& scenario() const { return *scenario_; }
  const Flow& FlowOf(const Member& member) const { return scenario_->flows[member.flow]; }

  std::string ClientId(const Member& member) const;
  std::string TopicPrefix(std::size_t flow) const;  // What stands before a topic's number.
  std::string Topic(const Member& publisher) const;
  std::string Filter(const Member& subscriber) const;
  std::uint32_t TopicIndex(const Member& member) const;

  // Publishers of all flows have one number after the other.
  std::uint32_t PublisherId(const Member& publisher) const {
    return first_publisher_[publisher.flow] + publisher.index;
  }
  std::uint32_t FirstPublisher(std::size_t flow) const { return first_publisher_[flow]; }
  std::uint32_t publishers() const { return first_publisher_.back(); }

  // How many deliveries each message of a publisher should make.
  std::uint32_t ListenersOf(const Member& publisher) const;

  // A subscriber's links are the publishers it hears, by number. LinkOf: which link is publisher
  // `index` of its own flow; none where it does not hear that one. PublisherOf undoes it.
  std::size_t LinkCount(const Member& subscriber) const;
  std::optional<std::size_t> LinkOf(const Member& subscriber, std::uint32_t index) const;
  std::uint32_t PublisherOf(const Member& subscriber, std::size_t link) const;

 private:
  const Scenario* scenario_;
  std::uint32_t run_id_;
  std::size_t workers_;
  std::vector<std::uint32_t> first_publisher_;  // By flow, and one past the last.
};

}  // namespace atalaya::stress
