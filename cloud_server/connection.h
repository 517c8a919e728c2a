#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/unique_fd.h"
#include "cloud_server/channel.h"
#include "cloud_server/client_terms.h"
#include "cloud_server/held_packets.h"
#include "cloud_server/output.h"
#include "cloud_server/session.h"
#include "cloud_server/throttle.h"
#include "cloud_server/timer_wheel.h"
#include "cloud_server/transport.h"
#include "mqtt/decode.h"
#include "telemetry/stats_segment.h"

namespace atalaya::cloud_server {

class Loop;
struct AttachRequest;
struct LoginOutcome;
struct SubscribeOutcome;

// One client's socket: bytes in, packets out, and what its CONNECT said. It is closed by its loop
// at the end of the turn in which something called Close, so it stays valid through any call chain.
// Threads: that of the loop it stands in.
class Connection : public IoHandler, public TimerWheel::Entry {
 public:
  // `transport` is nullptr for plain TCP. `listener` is the index of the one it came in by.
  Connection(Loop* loop, UniqueFd fd, std::unique_ptr<Transport> transport, std::uint16_t listener);
  ~Connection() override;

  void OnIo(std::uint32_t epoll_events) override;

  // Takes up the bytes that came with the connection from another loop.
  void Adopt(Loop* loop);
  void ProcessBuffered();

  // Takes up packets that were parked, as far as the client may publish again.
  void RetryParked();
  bool MustRetry() const {
    return throttle_ != nullptr && (throttle_->wants_memory || !throttle_->parked.empty());
  }
  void ForgetParked();                              // And an unfinished packet.
  Throttle* throttle() { return throttle_.get(); }  // nullptr: it was never slowed.

  // Reads on where the transport holds bytes that no event will tell of.
  void ReadAgain();

  // Sends at QoS 0; dropped and counted where the output is over its limit, or the packet over the
  // client's.
  void SendAtMostOnce(Publication* publication, bool retain,
                      const std::vector<std::uint32_t>& subscription_ids);
  // The same for all its packets at once.
  void SendBurst(const Burst& burst, const std::vector<std::uint32_t>& subscription_ids);
  // False where the packet is larger than the client takes: dropped and counted, and as good as
  // acknowledged (MQTT-3.1.2-25).
  bool SendDelivery(const Delivery& delivery);
  bool HasRoom() const;  // For further deliveries.

  // Hands the output to the kernel, as far as it goes.
  void Flush();
  // The same for the last time, with the transport's own end.
  void Finish();

  // Ends the connection at the end of this turn, counted as `reason`. The first call counts.
  void Close(telemetry::Stat reason);
  // The same, and a 5.0 client that has had its CONNACK gets a DISCONNECT with `reason` before, and
  // with `text` for its user where it wants one.
  void CloseSaying(telemetry::Stat counter, mqtt::Reason reason, std::string_view text = {});

  // Lets go of what waited for `released` at the latest; whether anything waits still.
  bool ReleaseHeld(Ticket released);

  // Starts or stops listening for bytes.
  void SetReading(bool reading);

  // A client that is to go to another server, by name where `use_server` is not empty (5.0, 4.11),
  // is told so and its connection closed.
  void CloseForAnotherServer(const std::string& use_server);

  // Reads its CONNECT again, as its login has come further.
  void ResumeConnect();

  // The keep alive or the time to send a CONNECT has passed, or not yet.
  void OnDeadline();
  void ScheduleDeadline();

  int fd() const { return fd_.get(); }
  bool closing() const { return closing_; }
  telemetry::Stat close_reason() const { return close_reason_; }
  mqtt::Version version() const { return version_; }
  std::uint32_t keep_alive_s() const;  // As agreed; 0: none.
  bool output_empty() const { return output_.empty() && !held_; }
  std::size_t output_bytes() const { return output_.bytes(); }
  std::uint16_t listener() const { return listener_; }
  // The name in the client's verified certificate; "" where it showed none.
  std::string certificate_name() const {
    return transport_ != nullptr ? transport_->PeerCommonName() : "";
  }

  // Written by the loop.
  Session* session = nullptr;  // Not owned; set between CONNECT and the end.
  std::size_t index = 0;       // In the loop's list.
  bool dirty = false;          // In the loop's list of those to flush.
  bool holds = false;          // In the loop's list of those with packets that wait for the disk.
  bool reads_again = false;    // In the loop's list of those to read from without an event.

 private:
  void Receive();
  std::size_t LimitOfPacket() const;
  // Of an unfinished packet, where it is large enough to be counted as memory.
  std::size_t UnfinishedBytes() const;
  void CountUnfinished(std::size_t before);
  void WaitForMemory();
  void RetryReading();
  bool HasParked() const { return throttle_ != nullptr && !throttle_->parked.empty(); }
  void EndIfOver(IoState state);
  void TakeUpReading(std::size_t sent);
  std::size_t Process(std::string_view bytes);  // Returns how many were consumed.
  enum class Turn : std::uint8_t { kNow, kDone, kLater };
  Turn TurnOf(const mqtt::Frame& frame, std::string_view wire);
  void RefuseForMemory(const mqtt::Frame& frame);
  std::size_t TakeBurst(std::string_view bytes, const mqtt::Frame& first);
  void HandleFrame(const mqtt::Frame& frame);
  void HandleConnect(const mqtt::Frame& frame);
  void RefuseBroken(mqtt::Fault fault, const mqtt::Frame& frame);
  void ReadTerms(const mqtt::Connect& packet);
  void Accept(const mqtt::Connect& packet, const LoginOutcome& login);
  std::uint32_t KeepAliveSeconds(const mqtt::Connect& packet) const;
  std::string ConnackProperties(const mqtt::Connect& packet, const AttachRequest& request,
                                bool is_invented);
  bool SendConnack(bool present, mqtt::Reason reason, mqtt::Properties properties);
  void HandlePublish(const mqtt::Frame& frame);
  bool ResolveAlias(std::optional<std::uint32_t> alias, mqtt::Publish* packet);
  bool WithinReceiveMaximum(const mqtt::Publish& packet);
  void RefusePublish(const mqtt::Publish& packet, const Verdict& verdict, telemetry::Stat counter);
  void HandleAck(const mqtt::Frame& frame);
  void HandleOutgoingAck(const mqtt::Ack& packet);
  void HandleSubscribe(const mqtt::Frame& frame);
  char CodeOf(const SubscribeOutcome& outcome) const;
  void HandleUnsubscribe(const mqtt::Frame& frame);
  void HandlePing(const mqtt::Frame& frame);
  void HandleDisconnect(const mqtt::Frame& frame);
  void HandleAuth(const mqtt::Frame& frame);

  // Answers a CONNECT with `reason`, or what older versions have for it, and closes.
  void Refuse(mqtt::Reason reason, telemetry::Stat counter);
  void Reject(mqtt::Fault fault, mqtt::PacketType type);  // Counts a malformed packet and closes.
  void RejectUnexpected();  // A packet that does not belong here: the same.
  // Where to encode one packet of `type`; counts it. `waits`: it may leave once all that was
  // written to the journal by now is durable.
  std::string* Tail(mqtt::PacketType type, bool waits = false);
  std::string* Lane(mqtt::PacketType type, bool waits);
  void Append(MessagePtr payload);  // Behind the packet whose header was encoded last.
  bool LacksRoomOnDisk(const mqtt::Publish& packet);
  void PauseForDisk();
  // Encodes one packet of `type` with encode(std::string*). False where it is larger than the
  // client takes: it is not sent.
  template <typename Encode>
  bool SendPacket(mqtt::PacketType type, const Encode& encode) {
    std::string* const out = Lane(type, false);
    const std::size_t before = out->size();
    encode(out);
    if (terms_ != nullptr && out->size() - before > terms_->max_packet_bytes) {
      out->resize(before);
      return false;
    }
    CountSent(type);
    return true;
  }
  void DropForSlowness(std::int64_t packets);
  void CountSent(mqtt::PacketType type);
  // `why` goes with a 5.0 client's reason, where it wants one.
  void SendAck(mqtt::PacketType type, std::uint16_t packet_id, mqtt::Reason reason,
               std::string_view why = {});
  void SendDisconnect(mqtt::Reason reason, mqtt::Property property, std::string_view text);
  template <typename Body>
  bool WritePublish(mqtt::Publish packet, std::int64_t expires_ns,
                    const std::vector<std::uint32_t>& subscription_ids, const Body& body,
                    bool waits = false);
  void SendBurstOneByOne(const Burst& burst, const std::vector<std::uint32_t>& subscription_ids);
  void WatchIo();
  void CountOutput();

  UniqueFd fd_;
  Loop* loop_;
  std::unique_ptr<Transport> transport_;  // nullptr: plain TCP.
  std::string in_;                        // The front part of a packet that is not whole yet.
  Output output_;
  std::unique_ptr<Throttle> throttle_;  // While the client is, or may have to be, slowed.
  std::unique_ptr<ClientTerms> terms_;  // Exactly for 5.0.
  // Answers whose records are not durable yet, and QoS 2 publishes whose packet ids are not; and
  // what else came behind a CONNACK that waits itself.
  std::unique_ptr<HeldPackets> held_;
  std::uint64_t records_before_ = 0;  // Of the loop, before the packet that is being handled.
  std::int64_t last_packet_ns_ = 0;
  std::int64_t keep_alive_ns_ = 0;   // 1.5 times what CONNECT said; 0: none.
  std::int64_t counted_output_ = 0;  // What this connection adds to the output gauge.
  std::int32_t hand_off_to_ = -1;    // The loop that its client id belongs to.
  std::uint16_t listener_;
  telemetry::Stat close_reason_{};
  mqtt::Version version_ = mqtt::Version::k311;
  bool tail_is_held_ = false;     // The packet encoded last stands in `held_`.
  bool accepted_ = false;         // The CONNACK that accepts has been written.
  bool waits_for_login_ = false;  // Its CONNECT stands in `in_` until the password is looked up.
  bool closing_ = false;
  bool reading_ = true;
  bool paused_ = false;   // A publish waits in `in_` until there is room on the disk.
  bool stalled_ = false;  // Nothing is read until the client takes what it is owed.
  bool blocked_ = false;  // The kernel takes no more: waits to be writable.
};

}  // namespace atalaya::cloud_server
