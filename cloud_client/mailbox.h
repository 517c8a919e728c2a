#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "cloud_client/client.h"

namespace atalaya::cloud_client {

// A publish on its way from Client::Publish to the kernel or the PUBACK.
struct PendingPublish {
  Client::Outgoing packet;
  Client::PublishDone done;
  std::uint64_t number = 0;        // Grows in the order of Publish.
  std::uint16_t packet_id = 0;     // Once sent with QoS 1.
  bool sent_before = false;        // On an earlier connection.
  std::uint64_t end_position = 0;  // QoS 0: of its last byte in the connection's stream.

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

  // `on_letters` runs on `loop`'s thread after anything was left.
  Mailbox(EventLoop* loop, std::function<void()> on_letters)
      : loop_(loop), on_letters_(std::move(on_letters)) {}

  Status Publish(PendingPublish publish, std::size_t max_packets, std::size_t max_bytes);
  void Handled(std::uint64_t message);
  bool Call(std::function<void()> call);  // False once closed.

  Letters Take();
  void Done(std::size_t bytes, bool published);  // One publish left the queue.

  // From now on nothing is taken. What was left before is returned by one last Take.
  void CloseForPublish();
  void CloseForAll();

  std::size_t queued_packets() const;
  ClientStats stats() const;
  void CountReceived();
  void CountConnect();

 private:
  void WakeLocked();

  mutable std::mutex mutex_;
  EventLoop* loop_;  // Null once closed.
  std::function<void()> on_letters_;
  bool woken_ = false;
  bool publish_closed_ = false;
  std::uint64_t next_number_ = 1;
  Letters letters_;
  ClientStats stats_;
};

}  // namespace atalaya::cloud_client
