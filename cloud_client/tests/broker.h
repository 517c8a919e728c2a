#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/tests/scripted_server.h"
#include "cloud_client/client.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_client {

inline constexpr std::chrono::seconds kPatience{20};

// Hands what one thread saw to the test's thread.
template <typename T>
class Mail {
 public:
  void Put(T item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    arrived_.notify_all();
  }
  // The next item; an empty T and a failed test where none comes.
  T Next() {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, kPatience, [&] { return !items_.empty(); })) {
      ADD_FAILURE() << "nothing came";
      return T{};
    }
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }
  bool empty() {
    const std::lock_guard lock(mutex_);
    return items_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<T> items_;
};

// The server's end of one connection, packet by packet.
class BrokerPeer {
 public:
  BrokerPeer(ScriptedPeer* peer, mqtt::Version version) : peer_(peer), version_(version) {}

  // False when the client has gone.
  bool Read(mqtt::Frame* frame) {
    packet_.clear();
    while (true) {
      std::string byte;
      if (!peer_->ReadBytes(1, &byte)) return false;
      packet_ += byte;
      const auto framed = mqtt::NextFrame(packet_, mqtt::kMaxPacketBytes);
      ATALAYA_CHECK(framed);
      if (framed->size == packet_.size()) {
        *frame = *framed;
        return true;
      }
    }
  }
  mqtt::Frame Expect(mqtt::PacketType type) {
    mqtt::Frame frame;
    EXPECT_TRUE(Read(&frame)) << "the client has gone";
    EXPECT_EQ(mqtt::PacketTypeName(frame.type), mqtt::PacketTypeName(type));
    return frame;
  }
  void Accept(bool session_present = false, std::uint8_t code = 0,
              const std::string& properties = "") {
    Expect(mqtt::PacketType::kConnect);
    mqtt::Connack connack;
    connack.session_present = session_present;
    connack.code = code;
    connack.properties = mqtt::Properties(properties);
    std::string out;
    mqtt::EncodeConnack(connack, version_, &out);
    peer_->Send(out);
  }
  void Ack(std::uint16_t packet_id, mqtt::PacketType type = mqtt::PacketType::kPuback,
           mqtt::Reason reason = mqtt::Reason::kSuccess, const std::string& why = "") {
    std::string properties;
    if (!why.empty()) mqtt::PropertyWriter(&properties).Text(mqtt::Property::kReasonString, why);
    mqtt::Ack ack;
    ack.type = type;
    ack.packet_id = packet_id;
    ack.reason = reason;
    ack.properties = mqtt::Properties(properties);
    std::string out;
    mqtt::EncodeAck(ack, version_, &out);
    peer_->Send(out);
  }
  void Suback(std::uint16_t packet_id, char code) {
    mqtt::Suback suback;
    suback.packet_id = packet_id;
    suback.codes = std::string_view(&code, 1);
    std::string out;
    mqtt::EncodeSuback(suback, version_, &out);
    peer_->Send(out);
  }
  void Publish(std::string_view topic, std::string_view payload, std::uint16_t packet_id,
               mqtt::Qos qos = mqtt::Qos::k1, bool dup = false,
               const std::string& properties = "") {
    mqtt::Publish publish;
    publish.topic = topic;
    publish.payload = payload;
    publish.packet_id = packet_id;
    publish.qos = packet_id == 0 ? mqtt::Qos::k0 : qos;
    publish.dup = dup;
    publish.properties = mqtt::Properties(properties);
    std::string out;
    mqtt::EncodePublish(publish, version_, &out);
    peer_->Send(out);
  }
  void Raw(std::string_view bytes) { peer_->Send(bytes); }

 private:
  ScriptedPeer* peer_;
  mqtt::Version version_;
  std::string packet_;
};

// A server whose n-th connection follows the n-th script; those after the last one are hung up on.
class Broker {
 public:
  using Script = std::function<void(BrokerPeer&)>;
  explicit Broker(std::vector<Script> scripts, mqtt::Version version = mqtt::Version::k311)
      : version_(version), scripts_(std::move(scripts)), server_([this](ScriptedPeer& peer) {
          if (next_ >= scripts_.size()) return;
          BrokerPeer broker_peer(&peer, version_);
          scripts_[next_++](broker_peer);
        }) {}

  ClientOptions Options() const {
    ClientOptions options;
    options.servers = {*ParseHostPort(server_.address())};
    options.client_id = "box";
    if (version_ != mqtt::Version::k5) options.protocol = Protocol::kMqtt311;
    options.reconnect_min = std::chrono::milliseconds(2);
    options.reconnect_max = std::chrono::milliseconds(4);
    return options;
  }
  std::string address() const { return server_.address(); }

 private:
  mqtt::Version version_;
  std::vector<Script> scripts_;
  std::size_t next_ = 0;
  ScriptedServer server_;
};

inline std::unique_ptr<Client> Started(const ClientOptions& options,
                                       ClientCallbacks callbacks = {}) {
  Result<std::unique_ptr<Client>> client = Client::Start(options, std::move(callbacks));
  EXPECT_TRUE(client) << client.error().message;
  return std::move(*client);
}

}  // namespace atalaya::cloud_client
