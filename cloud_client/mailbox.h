#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "cloud_client/client.h"

namespace atalaya::cloud_client {

// A publish on its way from Client::Publish to the kernel or the last acknowledgement.
struct PendingPublish {
  Client::Outgoing packet;
  Client::PublishDone done;        // Null once it is in a spool.
  std::uint64_t number = 0;        // Grows in the order of Publish.
  std::uint16_t packet_id = 0;     // Once sent with QoS 1 or 2.
  bool sent_before = false;        // On an earlier connection.
  bool released = false;           // QoS 2: confirmed; only PUBREL and PUBCOMP are missing.
  bool matched = true;             // The server has not said that nobody subscribes.
  std::uint64_t end_position = 0;  // QoS 0: of its last byte in the connection's stream.
  std::int64_t time_ms = 0;        // Of Publish.
  std::optional<std::uint64_t> spooled = {};  // Its sequence in the spool.

  std::size_t Bytes() const { return packet.topic.size() + packet.payload.size(); }
};

// Where other threads leave things for the client's own thread, and the count of what is queued.
// Outlives the client as long as an Acknowledge does. Threads: any.
class Mailbox {
 public:
  struct Letters {
    std::vector<PendingPublish> publishes;
    std::vector<std::uint64_t> handled;  // Messages, by their number in the order of arrival.
    std::vector<std::function<void()>> calls;
  };
  // What is in the spool, for stats and for the bound.
  struct SpoolFill {
    std::uint64_t pending = 0;
    std::uint64_t room_bytes = 0;
    std::uint64_t disk_bytes = 0;
    std::uint64_t damaged = 0;
  };
  enum class Outcome { kPublished, kRefused, kSpooled, kFailed };

  // `on_letters` runs on `loop`'s thread after anything was left.
  Mailbox(EventLoop* loop, std::function<void()> on_letters)
      : loop_(loop), on_letters_(std::move(on_letters)) {}

  Status Publish(PendingPublish publish, std::size_t max_packets, std::size_t max_bytes);
  void Handled(std::uint64_t message);
  bool Call(std::function<void()> call);  // False once closed.

  Letters Take();
  // One publish of `bytes` in memory left the queue. kSpooled: it is in the spool now.
  void Left(const PendingPublish& publish, Outcome outcome);
  void SetSpool(const SpoolFill& fill);

  // From now on nothing is taken. What was left before is returned by one last Take.
  void CloseForPublish();
  void CloseForAll();

  std::size_t queued_packets() const;  // Those in the spool too.
  ClientStats stats() const;
  void CountReceived();
  void CountConnect();
  void CountOutcome(Outcome outcome);  // Of a publish of the spool.

 private:
  Status RoomLocked(const PendingPublish& publish, std::size_t max_packets,
                    std::size_t max_bytes) const;
  void WakeLocked();

  mutable std::mutex mutex_;
  EventLoop* loop_;  // Null once closed.
  std::function<void()> on_letters_;
  bool woken_ = false;
  bool publish_closed_ = false;
  std::uint64_t next_number_ = 1;
  Letters letters_;
  ClientStats stats_;  // queued_packets: those in memory.
  std::optional<SpoolFill> spool_;
  std::uint64_t for_spool_bytes_ = 0;  // What those in memory will be on disk.
};

}  // namespace atalaya::cloud_client
