#include "bench/meter/client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/net.h"
#include "base/result.h"
#include "bench/meter/quit.h"
#include "mqtt/encode.h"

namespace atalaya::bench {
namespace {

constexpr mqtt::Version kVersion = mqtt::Version::k311;
constexpr std::chrono::milliseconds kMqttSettle{200};
constexpr std::chrono::milliseconds kNatsSettle{3'000};

std::string Subject(std::string_view topic) {
  std::string subject(topic);
  std::replace(subject.begin(), subject.end(), '/', '.');
  return subject;
}

}  // namespace

std::string PublishBytes(Protocol protocol, std::string_view topic, std::string_view payload,
                         mqtt::Qos qos, std::uint16_t packet_id) {
  if (protocol == Protocol::kNats) {
    return fmt::format("PUB {} {}\r\n{}\r\n", Subject(topic), payload.size(), payload);
  }
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = payload;
  packet.qos = qos;
  packet.packet_id = packet_id;
  std::string bytes;
  mqtt::EncodePublish(packet, kVersion, &bytes);
  return bytes;
}

std::string ConnectBytes(Protocol protocol, std::string_view client_id, bool clean) {
  if (protocol == Protocol::kNats) {
    return fmt::format(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"name\":\"{}\"}}\r\nPING\r\n", client_id);
  }
  mqtt::Connect packet;
  packet.client_id = client_id;
  packet.clean_start = clean;
  std::string bytes;
  mqtt::EncodeConnect(packet, &bytes);
  return bytes;
}

std::string SubscribeBytes(Protocol protocol, const std::vector<std::string>& filters,
                           mqtt::Qos qos) {
  std::string bytes;
  if (protocol == Protocol::kNats) {
    for (const std::string& filter : filters) {
      std::string subject = Subject(filter);
      if (subject.ends_with('#')) subject.back() = '>';
      bytes += fmt::format("SUB {} 1\r\n", subject);
    }
    return bytes + "PING\r\n";
  }
  mqtt::Subscribe packet;
  packet.packet_id = 1;
  for (const std::string& filter : filters)
    packet.subscriptions.push_back({.filter = filter, .qos = qos});
  mqtt::EncodeSubscribe(packet, kVersion, &bytes);
  return bytes;
}

DeliveryLayout LayoutOf(Protocol protocol, std::string_view topic, std::size_t payload_bytes,
                        mqtt::Qos qos) {
  const std::string payload(payload_bytes, 'x');
  if (protocol == Protocol::kNats) {
    const std::size_t head = fmt::format("MSG {} 1 {}\r\n", topic, payload_bytes).size();
    return {head + payload_bytes + 2, head};
  }
  const std::size_t bytes =
      PublishBytes(protocol, topic, payload, qos, qos == mqtt::Qos::k0 ? 0 : 1).size();
  return {bytes, bytes - payload_bytes};
}

Client::Client(const Target& target, std::string_view client_id, bool clean)
    : protocol_(target.protocol), fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!fd_ || connect(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Quit("cannot connect to port {}: {}", target.port, ErrnoText(errno));
  }
  SetNoDelay(fd());
  Write(ConnectBytes(protocol_, client_id, clean));
  if (protocol_ == Protocol::kNats) {
    AwaitPong();
    return;
  }
  std::array<char, kConnackBytes> connack{};
  ReadExactly(connack.data(), connack.size());
  if (connack[0] != 0x20 || connack[3] != 0) Quit("{} was refused", client_id);
}

void Client::Subscribe(const std::vector<std::string>& filters, mqtt::Qos qos) {
  Write(SubscribeBytes(protocol_, filters, qos));
  if (protocol_ == Protocol::kNats) {
    AwaitPong();
    return;
  }
  const std::size_t remaining = 2 + filters.size();
  std::string suback((remaining < 128 ? 2 : 3) + remaining, '\0');
  ReadExactly(suback.data(), suback.size());
  if (static_cast<unsigned char>(suback[0]) != 0x90 ||
      std::any_of(suback.end() - static_cast<std::ptrdiff_t>(filters.size()), suback.end(),
                  [](char code) { return code < 0; })) {
    Quit("a subscription was refused");
  }
}

void Client::AwaitPong() {
  std::string seen;
  char c = 0;
  while (!seen.ends_with("PONG\r\n")) {
    ReadExactly(&c, 1);
    seen.push_back(c);
  }
}

void Client::SetNonBlocking() {
  if (fcntl(fd(), F_SETFL, fcntl(fd(), F_GETFL) | O_NONBLOCK) != 0)
    Quit("fcntl: {}", ErrnoText(errno));
}

void Client::Write(std::string_view bytes) {
  while (!bytes.empty()) bytes.remove_prefix(WriteSome(bytes));
}

std::size_t Client::WriteSome(std::string_view bytes) {
  const ssize_t written = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (written >= 0) return static_cast<std::size_t>(written);
  if (errno != EAGAIN) Quit("the server closed a connection: {}", ErrnoText(errno));
  return 0;
}

std::size_t Client::Read(char* into, std::size_t bytes) {
  const ssize_t got = recv(fd(), into, bytes, 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0 || errno != EAGAIN) Quit("the server closed a connection");
  return 0;
}

void Client::ReadExactly(char* into, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes;) at += Read(into + at, bytes - at);
}

void Settle(const Target& target, const std::vector<Client*>& clients) {
  const bool nats = target.protocol == Protocol::kNats;
  std::this_thread::sleep_for(nats ? kNatsSettle : kMqttSettle);
  std::array<char, 4096> ignored{};
  for (Client* client : clients) {
    while (recv(client->fd(), ignored.data(), ignored.size(), MSG_DONTWAIT) > 0) {
    }
  }
}

}  // namespace atalaya::bench
