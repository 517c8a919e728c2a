#include "stress/tests/fake_broker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <vector>

#include "base/check.h"
#include "mqtt/encode.h"

namespace atalaya::stress {
namespace {

constexpr auto kVersion = mqtt::Version::k311;

void Write(int fd, const std::string& bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = send(fd, bytes.data() + written, bytes.size() - written, MSG_NOSIGNAL);
    if (count <= 0) return;
    written += static_cast<std::size_t>(count);
  }
}

bool Hits(std::uint64_t every, std::uint64_t count) { return every != 0 && count % every == 0; }

}  // namespace

FakeBroker::FakeBroker(const BrokerScript& script) : script_(script) {
  Result<UniqueFd> listener = ListenTcp({"127.0.0.1", 0});
  ATALAYA_CHECK(listener.has_value());
  listener_ = std::move(*listener);
  address_ = *LocalAddress(listener_.get());
  stop_.Reset(eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { Run(); });
}

FakeBroker::~FakeBroker() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void FakeBroker::Run() {
  while (true) {
    std::vector<pollfd> fds = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const auto& [fd, client] : clients_) fds.push_back({fd, POLLIN, 0});
    poll(fds.data(), fds.size(), -1);
    if (fds[0].revents != 0) return;
    if (fds[1].revents != 0) Accept();
    for (std::size_t i = 2; i < fds.size(); ++i) {
      const auto found = clients_.find(fds[i].fd);
      if (fds[i].revents == 0 || found == clients_.end()) continue;
      if (Read(found->second)) continue;
      // The kernel gives the number to the next client.
      std::erase_if(subscribers_, [&](const auto& entry) { return entry.second == fds[i].fd; });
      clients_.erase(found);
    }
    if (script_.reset_after != 0 && messages_ >= script_.reset_after) ResetAll();
  }
}

void FakeBroker::Accept() {
  UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return;
  SetNoDelay(fd.get());
  const int key = fd.get();
  clients_[key] = {std::move(fd), ""};
}

bool FakeBroker::Read(Client& client) {
  char bytes[65536];
  const ssize_t count = recv(client.fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (count <= 0) return false;
  client.unread.append(bytes, static_cast<std::size_t>(count));
  while (true) {
    const auto frame = mqtt::NextFrame(client.unread, 1 << 20);
    if (!frame) return false;
    if (frame->size == 0) return true;
    if (!Answer(client, *frame)) return false;
    client.unread.erase(0, frame->size);
  }
}

bool FakeBroker::Answer(Client& client, const mqtt::Frame& frame) {
  std::string reply;
  switch (frame.type) {
    case mqtt::PacketType::kConnect:
      if (script_.mute_connect) return true;
      if (script_.connack_nonsense) {
        Write(client.fd.get(), "HTTP/1.1 400 Bad Request\r\n\r\n");
        return true;
      }
      mqtt::EncodeConnack({false, script_.connack_code, {}}, kVersion, &reply);
      break;
    case mqtt::PacketType::kSubscribe: {
      const auto subscribe = mqtt::DecodeSubscribe(frame, kVersion);
      if (!subscribe) return false;
      subscribers_[std::string(subscribe->subscriptions[0].filter)] = client.fd.get();
      const char granted[1] = {static_cast<char>(subscribe->subscriptions[0].qos)};
      mqtt::EncodeSuback({mqtt::PacketType::kSuback, subscribe->packet_id, {granted, 1}, {}},
                         kVersion, &reply);
      break;
    }
    case mqtt::PacketType::kPublish:
      Route(client, frame);
      return true;
    case mqtt::PacketType::kPingreq:
      if (!script_.mute_ping) mqtt::EncodePingresp(&reply);
      break;
    case mqtt::PacketType::kDisconnect:
      return false;
    default:
      break;
  }
  Write(client.fd.get(), reply);
  return true;
}

void FakeBroker::Route(Client& client, const mqtt::Frame& frame) {
  const auto publish = mqtt::DecodePublish(frame, kVersion);
  ATALAYA_CHECK(publish.has_value());
  if (publish->qos == mqtt::Qos::k1) {
    std::string ack;
    mqtt::EncodeAck({mqtt::PacketType::kPuback, publish->packet_id, {}, {}}, kVersion, &ack);
    Write(client.fd.get(), ack);
  }
  const std::uint64_t count = ++messages_;
  if (Hits(script_.drop_every, count)) return;
  const std::string topic(publish->topic);
  const auto subscriber = subscribers_.find(topic);
  if (subscriber == subscribers_.end()) return;
  std::string packet;
  mqtt::EncodePublish(*publish, kVersion, &packet);
  if (Hits(script_.damage_every, count)) packet.back() = static_cast<char>(packet.back() ^ 1);
  if (Hits(script_.swap_every, count)) {
    held_[topic] = packet;
    return;
  }
  Write(subscriber->second, packet);
  if (Hits(script_.double_every, count)) Write(subscriber->second, packet);
  if (const auto held = held_.find(topic); held != held_.end()) {
    Write(subscriber->second, held->second);
    held_.erase(held);
  }
}

void FakeBroker::ResetAll() {
  for (auto& [fd, client] : clients_) {
    const linger hard{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  clients_.clear();
  listener_.Reset();
  subscribers_.clear();
  script_.reset_after = 0;
}

}  // namespace atalaya::stress
