#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "stress/connection.h"
#include "stress/figures.h"
#include "stress/ledger.h"
#include "stress/run_control.h"
#include "stress/scenario.h"
#include "stress/schedule.h"

namespace atalaya::stress {

inline constexpr std::size_t kConnectsInFlight = 100;  // Per worker.
inline constexpr std::uint16_t kMaxInflight = 8192;    // Unacknowledged messages of a publisher.

struct WorkerPlan {
  Scenario scenario;
  RunLimits limits;
  TargetAddress target;
  std::uint32_t run_id = 0;
  std::size_t index = 0;  // This worker drives the pairs index, index + workers, ...
  std::size_t workers = 1;
};

// Drives its share of the pairs from one thread: connects them, sends what the schedule says when
// it is due, books what arrives, and drains. A message whose connection is full waits, unencoded,
// and keeps its intended time.
class Worker : private PacketSink {
 public:
  // kIo where the kernel has no epoll or timer descriptor to give. `control` must outlive the
  // worker.
  static Result<std::unique_ptr<Worker>> Create(const WorkerPlan& plan, RunControl* control);
  ~Worker() override;

  // The thread's body: from the first connect to the last close. Blocks for the whole run.
  void Run();

  const WorkerFigures& figures() const { return figures_; }  // Complete when Run has returned.

 private:
  struct Pair;

  Worker(const WorkerPlan& plan, RunControl* control, UniqueFd epoll, UniqueFd timer);
  void MakePairs();

  void ConnectAll();
  void OpenMore(std::int64_t now_ns);
  void Open(std::size_t slot, std::int64_t deadline_ns);
  void ExpireOpening(std::int64_t now_ns);
  void BeginLoad();
  void Load();
  void TakeDue(std::int64_t now_ns);
  std::int64_t NextDueNs() const;
  void FlushPair(std::size_t index);
  std::size_t WriteBatch(Pair& pair, std::uint64_t count, std::int64_t now_ns);
  std::uint16_t TakePacketId(Pair& pair);

  void Drain();
  bool Drained(std::int64_t now_ns) const;
  void EndDrain();

  void ArmTimer(std::int64_t wake_ns);
  void Turn(std::int64_t wake_ns);  // Waits for events until `wake_ns` (steady), handles them.
  void Book(std::size_t slot);
  Connection& At(std::size_t slot);
  bool OnPacket(Connection* connection, const mqtt::Frame& frame, std::int64_t now_ns) override;
  bool OnPublish(Pair& pair, const mqtt::Frame& frame, std::int64_t now_ns);
  bool OnPuback(Pair& pair, const mqtt::Frame& frame);
  void CloseIntervals(std::int64_t now_ns);
  void PutInterval();

  WorkerPlan plan_;
  RunControl* control_;
  Schedule schedule_;
  UniqueFd epoll_;
  UniqueFd timer_;
  std::vector<Pair> pairs_;
  std::string filling_;
  std::vector<char> scratch_;
  std::vector<char> batch_;
  std::string acks_;
  std::size_t max_packet_bytes_ = 0;
  WorkerFigures figures_;
  IntervalFigures interval_;

  std::size_t next_slot_ = 0;  // A slot is a connection: pair * 2, and one more for the publisher.
  std::deque<std::size_t> opening_;  // Slots that are being opened, by deadline.
  std::size_t opening_count_ = 0;
  std::size_t live_pairs_ = 0;      // Whose publisher can send.
  std::int64_t start_ns_ = 0;       // Steady time of the load's start.
  std::int64_t end_ns_ = 0;         // Of the load's end, from its start.
  std::size_t cursor_pair_ = 0;     // The next message to become due: of this pair ...
  std::uint64_t cursor_round_ = 0;  // ... with this sequence.
  std::vector<std::size_t> dirty_;  // Pairs with due messages to send.
  std::int64_t armed_ns_ = 0;       // What timer_ is set to.
  std::size_t intervals_put_ = 0;
  std::int64_t interval_start_cpu_ns_ = 0;
  std::int64_t last_arrival_ns_ = 0;
};

}  // namespace atalaya::stress
