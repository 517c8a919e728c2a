#include "cloud_server/tests/test_client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

namespace atalaya::cloud_server {

using mqtt::PacketType;

TestClient::TestClient(const HostPort& server) {
  Result<UniqueFd> fd = StartConnectTcp(server);
  EXPECT_TRUE(fd);
  if (fd) fd_ = std::move(*fd);
  pollfd waited{fd_.get(), POLLOUT, 0};
  EXPECT_EQ(poll(&waited, 1, 20'000), 1);
}

void TestClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno != EAGAIN) return;  // Closed by the server: the next receive shows it.
    pollfd waited{fd_.get(), POLLOUT, 0};
    if (poll(&waited, 1, 20'000) != 1) {
      ADD_FAILURE() << "the server takes nothing";
      return;
    }
  }
}

bool TestClient::Fill() {
  pollfd waited{fd_.get(), POLLIN, 0};
  const auto deadline_ms =
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(kDeadline).count());
  if (poll(&waited, 1, deadline_ms) != 1) {
    ADD_FAILURE() << "the server sent nothing within the deadline";
    return false;
  }
  char bytes[65'536];
  const ssize_t got = recv(fd_.get(), bytes, sizeof bytes, 0);
  if (got <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::optional<mqtt::Frame> TestClient::Receive() {
  buffer_.erase(0, std::exchange(used_, 0));
  while (true) {
    const mqtt::Decoded<mqtt::Frame> frame = mqtt::NextFrame(buffer_, mqtt::kMaxPacketBytes);
    EXPECT_TRUE(frame);
    if (!frame) return std::nullopt;
    if (frame->size != 0) {
      used_ = frame->size;
      return *frame;
    }
    if (!Fill()) return std::nullopt;
  }
}

bool TestClient::WaitClosed() {
  while (Receive()) {
  }
  char byte = 0;
  return recv(fd_.get(), &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

int TestClient::Connect(mqtt::Connect packet) {
  std::string bytes;
  mqtt::EncodeConnect(packet, &bytes);
  Send(bytes);
  const std::optional<mqtt::Frame> frame = Receive();
  if (!frame || frame->type != PacketType::kConnack) return -1;
  const mqtt::Decoded<mqtt::Connack> connack = mqtt::DecodeConnack(*frame, packet.version);
  if (!connack) return -1;
  session_present_ = connack->session_present;
  return connack->code;
}

int TestClient::Connect(std::string_view client_id, bool clean) {
  mqtt::Connect packet;
  packet.client_id = client_id;
  packet.clean_start = clean;
  return Connect(packet);
}

int TestClient::Subscribe(std::string_view filter, mqtt::Qos qos) {
  std::string bytes;
  mqtt::Subscribe packet;
  packet.packet_id = next_id_++;
  packet.subscriptions.push_back({filter, qos, false, false, 0});
  mqtt::EncodeSubscribe(packet, mqtt::Version::k311, &bytes);
  Send(bytes);
  const std::optional<mqtt::Frame> frame = Receive();
  if (!frame || frame->type != PacketType::kSuback || frame->body.size() != 3) return -1;
  return static_cast<std::uint8_t>(frame->body[2]);
}

void TestClient::Publish(std::string_view topic, std::string_view payload, mqtt::Qos qos,
                         bool retain) {
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = payload;
  packet.qos = qos;
  packet.retain = retain;
  if (qos != mqtt::Qos::k0) packet.packet_id = next_id_++;
  std::string bytes;
  mqtt::EncodePublish(packet, mqtt::Version::k311, &bytes);
  Send(bytes);
  if (qos != mqtt::Qos::k1) return;
  const std::optional<mqtt::Frame> frame = Receive();
  EXPECT_TRUE(frame && frame->type == PacketType::kPuback);
}

std::optional<mqtt::Publish> TestClient::NextPublish() {
  const std::optional<mqtt::Frame> frame = Receive();
  if (!frame) return std::nullopt;
  EXPECT_EQ(mqtt::PacketTypeName(frame->type), "PUBLISH");
  if (frame->type != PacketType::kPublish) return std::nullopt;
  const mqtt::Decoded<mqtt::Publish> packet = mqtt::DecodePublish(*frame, mqtt::Version::k311);
  EXPECT_TRUE(packet);
  return *packet;
}

std::string TestClient::NextMessage() {
  const std::optional<mqtt::Publish> packet = NextPublish();
  if (!packet) return "closed";
  if (packet->qos == mqtt::Qos::k1) Puback(packet->packet_id);
  return std::string(packet->topic) + "=" + std::string(packet->payload);
}

void TestClient::Puback(std::uint16_t packet_id) {
  std::string bytes;
  mqtt::EncodeAck({PacketType::kPuback, packet_id, mqtt::Reason::kSuccess, {}}, mqtt::Version::k311,
                  &bytes);
  Send(bytes);
}

void TestClient::Ping() {
  std::string bytes;
  mqtt::EncodePingreq(&bytes);
  Send(bytes);
  const std::optional<mqtt::Frame> frame = Receive();
  EXPECT_TRUE(frame && frame->type == PacketType::kPingresp);
}

}  // namespace atalaya::cloud_server
