#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stress/arrivals.h"
#include "stress/figures.h"
#include "stress/ledger.h"
#include "stress/load_plan.h"
#include "stress/packet_ids.h"

namespace atalaya::stress {

// What one worker counts: in all, and in the second under way.
struct Tally {
  WorkerFigures all;
  IntervalFigures interval;
};

// The publishers of one worker: takes what is due, writes packets, and follows each to its
// acknowledgement. A message whose connection is full, away or has too many unacknowledged waits,
// unencoded, and keeps its intended time. Times are nanoseconds from the load's start. Threads: the
// worker's.
class Sender {
 public:
  // All must outlive this.
  Sender(const LoadPlan* plan, Tally* tally) : plan_(plan), tally_(tally) {}

  // Adds a publisher; they are numbered from 0 in the order of adding.
  void Add(const Member& member, Connection* connection);
  void Begin();  // When all are added.

  // The load ends there: nothing that is due later is taken.
  void SetEnd(std::int64_t end_ns) { end_ns_ = end_ns; }
  std::int64_t NextDueNs() const;  // RatePlan::kNever when there is none.
  // Takes what is due, and sends what it may.
  void TakeDue(std::int64_t start_ns, std::int64_t now_ns);
  // Sends what waits; for closed arrivals, as many as may be under way.
  void Flush(std::size_t publisher, std::int64_t start_ns);
  bool HasWork(std::size_t publisher) const;

  // PUBACK, PUBREC or PUBCOMP; false where it is out of place. Answers go to `answer`.
  bool OnPacket(std::size_t publisher, const mqtt::Frame& frame, std::string* answer);
  void OnConnack(std::size_t publisher, const mqtt::Connack& connack);
  void OnEnd(std::size_t publisher);  // Its connection is over: nothing is under way any more.
  // A message of the flow's publisher `index` has come back: with closed arrivals at QoS 0, that is
  // its acknowledgement.
  void OnReceipt(std::size_t flow, std::uint32_t index);
  // A publisher that OnReceipt has freed since it was last taken, for Flush.
  std::optional<std::size_t> TakeFreed();

  void MarkSecond();  // From here on a fault that comes may lose what is under way.
  void OpenFaultWindow();
  void CloseFaultWindow();

  bool Drained(std::size_t publisher) const;  // Nothing waits, nothing is unacknowledged.
  std::uint64_t ExpectedDeliveries() const;   // Of all that was sent.
  std::size_t size() const { return publishers_.size(); }
  const PublisherBook& book(std::size_t publisher) const { return publishers_[publisher].book; }
  const Member& member(std::size_t publisher) const { return publishers_[publisher].member; }

 private:
  struct Publisher {
    Member member;
    Connection* connection = nullptr;
    std::string head;  // The packet up to the payload.
    PublisherBook book;
    PacketIds ids;
    std::vector<std::int64_t> waiting;  // Intended times of what is due and not sent ...
    std::size_t waiting_from = 0;       // ... from here on.
    std::uint32_t held_marked = 0;      // Messages below this are counted in held_back already.
    std::uint32_t second_mark = 0;
    std::uint32_t listeners = 0;
    std::uint32_t under_way = 0;  // Closed arrivals at QoS 0.
    std::uint16_t receive_maximum = 65'535;
    bool dirty = false;

    std::size_t held() const { return waiting.size() - waiting_from; }
  };

  std::size_t MayBeSent(const Publisher& publisher) const;
  std::size_t WriteBatch(Publisher& publisher, std::size_t count, std::int64_t now_ns);
  bool WillComeBack(const Publisher& publisher) const;

  const LoadPlan* plan_;
  Tally* tally_;
  std::vector<Publisher> publishers_;
  std::vector<FlowArrivals> arrivals_;      // By flow; none where arrivals are closed.
  std::vector<std::size_t> first_of_flow_;  // Index into publishers_.
  std::vector<std::size_t> dirty_;          // Publishers with due messages to send.
  std::vector<char> batch_;
  std::size_t waiting_total_ = 0;
  std::int64_t end_ns_ = 0;
  bool fault_open_ = false;
};

}  // namespace atalaya::stress
