#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/unique_fd.h"
#include "cloud_server/channel.h"
#include "cloud_server/output.h"
#include "cloud_server/session.h"
#include "cloud_server/timer_wheel.h"
#include "cloud_server/transport.h"
#include "mqtt/decode.h"
#include "telemetry/stats_segment.h"

namespace atalaya::cloud_server {

class Loop;

// One client's socket: bytes in, packets out, and what its CONNECT said. It is closed by its loop
// at the end of the turn in which something called Close, so it stays valid through any call chain.
// Threads: that of the loop it stands in.
class Connection : public IoHandler, public TimerWheel::Entry {
 public:
  // `transport` is nullptr for plain TCP.
  Connection(Loop* loop, UniqueFd fd, std::unique_ptr<Transport> transport);
  ~Connection() override;

  void OnIo(std::uint32_t epoll_events) override;

  // Takes up the bytes that came with the connection from another loop.
  void Adopt(Loop* loop);
  void ProcessBuffered();

  // Reads on where the transport holds bytes that no event will tell of.
  void ReadAgain();

  // Sends at QoS 0; dropped and counted where the output is over its limit.
  void SendAtMostOnce(Publication* publication, bool retain,
                      const std::vector<std::uint32_t>& subscription_ids);
  void SendBurst(const Burst& burst);  // The same for all its packets at once.
  void SendDelivery(const Delivery& delivery);
  bool HasRoom() const;  // For further deliveries.

  // Hands the output to the kernel, as far as it goes.
  void Flush();
  // The same for the last time, with the transport's own end.
  void Finish();

  // Ends the connection at the end of this turn, counted as `reason`. The first call counts.
  void Close(telemetry::Stat reason);

  // Starts or stops listening for bytes.
  void SetReading(bool reading);

  // The keep alive or the time to send a CONNECT has passed, or not yet.
  void OnDeadline();
  void ScheduleDeadline();

  int fd() const { return fd_.get(); }
  bool closing() const { return closing_; }
  telemetry::Stat close_reason() const { return close_reason_; }
  mqtt::Version version() const { return version_; }
  bool output_empty() const { return output_.empty(); }
  const Transport* transport() const { return transport_.get(); }

  // Written by the loop.
  Session* session = nullptr;  // Not owned; set between CONNECT and the end.
  MessagePtr will;             // Published when the connection ends otherwise than by DISCONNECT.
  std::size_t index = 0;       // In the loop's list.
  bool dirty = false;          // In the loop's list of those to flush.
  bool reads_again = false;    // In the loop's list of those to read from without an event.

 private:
  void Receive();
  void EndIfOver(IoState state);
  std::size_t Process(std::string_view bytes);  // Returns how many were consumed.
  std::size_t TakeBurst(std::string_view bytes, const mqtt::Frame& first);
  void HandleFrame(const mqtt::Frame& frame);
  void HandleConnect(const mqtt::Frame& frame);
  void Accept(const mqtt::Connect& packet);
  void HandlePublish(const mqtt::Frame& frame);
  void HandleAck(const mqtt::Frame& frame);
  void HandleOutgoingAck(const mqtt::Ack& packet);
  void HandleSubscribe(const mqtt::Frame& frame);
  void HandleUnsubscribe(const mqtt::Frame& frame);
  void HandlePing(const mqtt::Frame& frame);
  void HandleDisconnect(const mqtt::Frame& frame);

  void Refuse(mqtt::ConnectCode code, telemetry::Stat reason);
  void Reject(mqtt::Fault fault);            // Counts a malformed packet and closes.
  void RejectUnexpected();                   // A packet that does not belong here: the same.
  std::string* Tail(mqtt::PacketType type);  // Where to encode one packet of `type`; counts it.
  void SendAck(mqtt::PacketType type, std::uint16_t packet_id);
  void WatchIo();
  void CountOutput();

  Loop* loop_;
  UniqueFd fd_;
  std::unique_ptr<Transport> transport_;  // nullptr: plain TCP.
  std::string in_;                        // The front part of a packet that is not whole yet.
  Output output_;
  std::int64_t last_packet_ns_ = 0;
  std::int64_t keep_alive_ns_ = 0;   // 1.5 times what CONNECT said; 0: none.
  std::int64_t counted_output_ = 0;  // What this connection adds to the output gauge.
  mqtt::Version version_ = mqtt::Version::k311;
  telemetry::Stat close_reason_{};
  std::int32_t hand_off_to_ = -1;  // The loop that its client id belongs to.
  bool closing_ = false;
  bool reading_ = true;
  bool blocked_ = false;  // The kernel takes no more: waits to be writable.
};

}  // namespace atalaya::cloud_server
