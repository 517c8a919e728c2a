#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "stress/connection.h"
#include "stress/load_plan.h"
#include "stress/receiver.h"
#include "stress/run_control.h"
#include "stress/sender.h"

namespace atalaya::stress {

inline constexpr std::size_t kConnectsInFlight = 100;  // Per worker.

// Drives its share of the connections from one thread: opens them, lets its Sender send what is due
// and its Receiver book what comes, and drains.
class Worker : private ConnectionOwner {
 public:
  // kIo where the kernel has no epoll or timer descriptor to give. Both must outlive the worker.
  static Result<std::unique_ptr<Worker>> Create(const LoadPlan* plan, std::size_t index,
                                                RunControl* control);
  ~Worker() override = default;

  // The thread's body: from the first connect to the last close. Blocks for the whole run.
  void Run();

  // Complete when Run has returned.
  const WorkerFigures& figures() const { return tally_.all; }
  const Sender& sender() const { return sender_; }
  const Receiver& receiver() const { return receiver_; }

 private:
  struct Slot {
    Connection connection;
    Connection::State booked = Connection::State::kIdle;  // What Book knows of its state.
  };
  struct Reopening {
    std::int64_t at_ns;
    std::uint32_t slot;
  };

  Worker(const LoadPlan* plan, std::size_t index, RunControl* control, UniqueFd epoll,
         UniqueFd timer);

  // worker_connect.cc: opening and losing connections.
  void ConnectAll();
  void OpenMore(std::int64_t now_ns);
  std::int64_t ConnectDueNs(std::size_t slot) const;  // Steady time; now where it need not wait.
  void Open(std::size_t slot, std::int64_t due_ns);
  void ExpireOpening(std::int64_t now_ns);
  void Reopen(std::int64_t now_ns);
  void Book(std::size_t slot);
  void BookFailure(std::size_t slot);
  void KeepAlive(std::int64_t now_ns);

  // worker.cc: the run.
  void BeginLoad();
  void Load();
  void Obey();
  void Obey(Command command);
  void Drain();
  bool Drained(std::int64_t now_ns) const;
  void EndDrain();
  void CloseIntervals(std::int64_t now_ns);
  void PutInterval();

  void ArmTimer(std::int64_t wake_ns);
  void Turn(std::int64_t wake_ns);  // Waits for events until `wake_ns` (steady), handles them.
  void OnEvent(std::size_t slot, std::uint32_t events);
  void FlushPublisher(std::size_t slot);

  Role RoleOf(std::size_t slot) const { return members_[slot].role; }
  std::size_t PublisherAt(std::size_t slot) const { return slot - first_publisher_; }
  std::size_t SlotOfPublisher(std::size_t publisher) const { return publisher + first_publisher_; }

  void AppendConnect(const Connection& connection, std::string* to) override;
  void AppendSubscribe(const Connection& connection, std::string* to) override;
  void OnConnack(const Connection& connection, const mqtt::Connack& connack) override;
  bool OnPacket(Connection* connection, const mqtt::Frame& frame, std::int64_t now_ns) override;

  const LoadPlan* plan_;
  std::size_t index_;
  RunControl* control_;
  UniqueFd epoll_;
  UniqueFd timer_;
  std::vector<Member> members_;  // By slot: subscribers, idle ones, publishers.
  std::vector<Slot> slots_;
  std::size_t first_publisher_ = 0;  // Slot.
  Tally tally_;
  Sender sender_;
  Receiver receiver_;
  std::vector<char> scratch_;
  std::string answers_;

  std::size_t next_slot_ = 0;          // The next one to be opened for the first time.
  std::deque<std::uint32_t> opening_;  // Slots that are being opened, by deadline.
  std::size_t opening_count_ = 0;
  std::deque<Reopening> reopening_;
  std::int64_t connect_start_ns_ = 0;
  bool session_present_ = false;  // Of the connection whose CONNACK is being handled.
  bool loading_ = false;
  bool away_ = false;  // The subscribers are told to stay away.
  std::size_t faults_open_ = 0;
  std::size_t commands_done_ = 0;
  std::size_t live_publishers_ = 0;
  std::int64_t pinged_ = 0;    // Connections, since the load's start, in turn.
  std::int64_t start_ns_ = 0;  // Steady time of the load's start.
  std::int64_t end_ns_ = 0;    // Of the load's end, from its start.
  std::int64_t armed_ns_ = 0;  // What timer_ is set to.
  std::size_t intervals_put_ = 0;
  std::int64_t interval_start_cpu_ns_ = 0;
  std::int64_t last_arrival_ns_ = 0;
  std::uint64_t reported_received_ = 0;
};

// On the steady clock.
std::int64_t SteadyNow();
// The next time to look for a stop: on a grid, so that turns in between need not arm the timer
// anew.
std::int64_t NextLookNs(std::int64_t now_ns);

}  // namespace atalaya::stress
