#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stress/ledger.h"
#include "stress/load_plan.h"
#include "stress/sender.h"

namespace atalaya::stress {

// The subscribers of one worker: checks every byte of what arrives, books it, and acknowledges.
// Threads: the worker's.
class Receiver {
 public:
  // All must outlive this.
  Receiver(const LoadPlan* plan, Tally* tally) : plan_(plan), tally_(tally) {}

  // Adds a subscriber; they are numbered from 0 in the order of adding.
  void Add(const Member& member);

  // What came of a message.
  struct Arrival {
    bool in_place = false;  // False: a packet that has no place here.
    bool first_copy = false;
    std::uint32_t publisher = 0;  // Index within the flow, of a first copy.
  };
  // PUBLISH or PUBREL; answers go to `answer`. `now_ns` counts from the load's start.
  Arrival OnPacket(std::size_t subscriber, const mqtt::Frame& frame, std::int64_t now_ns,
                   std::string* answer);

  std::uint64_t received() const { return received_; }  // First copies.
  std::size_t size() const { return subscribers_.size(); }
  void TakesPart(std::size_t subscriber) { subscribers_[subscriber].takes_part = true; }
  bool took_part(std::size_t subscriber) const { return subscribers_[subscriber].takes_part; }
  const SubscriberBook& book(std::size_t subscriber) const { return subscribers_[subscriber].book; }
  const Member& member(std::size_t subscriber) const { return subscribers_[subscriber].member; }

 private:
  struct Subscriber {
    Member member;
    SubscriberBook book;
    bool takes_part = false;  // It was there when the load began.
  };

  Arrival OnPublish(Subscriber& subscriber, const mqtt::Frame& frame, std::int64_t now_ns,
                    std::string* answer);
  // Which publisher's topic this is, within the flow of `wire`.
  bool IsTopicOf(const FlowWire& wire, const Flow& flow, std::string_view topic,
                 std::uint32_t publisher) const;

  const LoadPlan* plan_;
  Tally* tally_;
  std::vector<Subscriber> subscribers_;
  std::uint64_t received_ = 0;
};

}  // namespace atalaya::stress
