#include "stress/fault_clients.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "base/net.h"
#include "mqtt/encode.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

constexpr int kSmallReceiveBuffer = 4096;
// An answer's first byte of a server that takes the client in.
constexpr char kConnackByte = 0x20;
// A reserved packet type and a length of five bytes.
constexpr std::string_view kGarbage("\xf0\xff\xff\xff\xff\xff\x01", 7);

}  // namespace

struct FaultClients::Client {
  UniqueFd fd;
  std::size_t index = 0;
  bool greeted = false;
};

FaultClients::FaultClients(const Fault& fault, const TargetAddress& target, std::string filter,
                           std::string name)
    : fault_(fault),
      target_(target),
      filter_(std::move(filter)),
      name_(std::move(name)),
      stop_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Run(); }) {}

FaultClients::~FaultClients() {
  if (thread_.joinable()) End();
}

std::string FaultClients::End() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
  return fmt::format("{} connections: {} refused, {} taken in, {} closed by the server",
                     WordCount(static_cast<std::uint64_t>(fault_.count)), WordCount(refused_),
                     WordCount(welcomed_), WordCount(closed_));
}

std::string FaultClients::Greeting(std::size_t index) const {
  const std::string client_id = fmt::format("{}-{}", name_, index);
  mqtt::Connect connect;
  connect.client_id = client_id;
  std::string bytes;
  mqtt::EncodeConnect(connect, &bytes);
  if (fault_.kind == FaultKind::kHalfOpen) bytes.resize(bytes.size() / 2);
  if (fault_.kind == FaultKind::kMalformed) bytes += kGarbage;
  if (fault_.kind == FaultKind::kSlowReaders) {
    mqtt::Subscribe subscribe;
    subscribe.packet_id = 1;
    subscribe.subscriptions.push_back({filter_, mqtt::Qos::k0, false, false, 0});
    mqtt::EncodeSubscribe(subscribe, mqtt::Version::k311, &bytes);
  }
  return bytes;
}

void FaultClients::Open(Client& client) {
  client.fd.Reset(socket(target_.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto* address = reinterpret_cast<const sockaddr*>(&target_.storage);
  if (fault_.kind == FaultKind::kSlowReaders) {
    setsockopt(client.fd.get(), SOL_SOCKET, SO_RCVBUF, &kSmallReceiveBuffer,
               sizeof kSmallReceiveBuffer);
  }
  if (!client.fd ||
      (connect(client.fd.get(), address, target_.length) != 0 && errno != EINPROGRESS)) {
    ++refused_;
    client.fd.Reset();
  }
}

void FaultClients::OnReady(Client& client, short events) {
  if (!client.greeted) {
    const std::string greeting = Greeting(client.index);
    if (SocketError(client.fd.get()) != 0 ||
        send(client.fd.get(), greeting.data(), greeting.size(), MSG_NOSIGNAL) < 0) {
      ++refused_;
      client.fd.Reset();
    }
    client.greeted = true;
    return;
  }
  if ((events & (POLLIN | POLLHUP | POLLERR)) == 0) return;
  char bytes[256];
  const ssize_t got = recv(client.fd.get(), bytes, sizeof bytes, 0);
  if (got > 0) {
    if (bytes[0] == kConnackByte) ++welcomed_;
    return;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  ++closed_;
  client.fd.Reset();
}

void FaultClients::Run() {
  std::vector<Client> clients(static_cast<std::size_t>(fault_.count));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].index = i;
    Open(clients[i]);
  }
  std::vector<pollfd> ready(clients.size() + 1);
  while (true) {
    ready[0] = {stop_.get(), POLLIN, 0};
    for (std::size_t i = 0; i < clients.size(); ++i) {
      // A slow reader looks for nothing but its end once it has subscribed.
      const bool reads = clients[i].greeted && fault_.kind != FaultKind::kSlowReaders;
      const int events = !clients[i].greeted ? POLLOUT : reads ? POLLIN : 0;
      ready[i + 1] = {clients[i].fd.get(), static_cast<short>(events), 0};
    }
    if (poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
    if (ready[0].revents != 0) return;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (clients[i].fd && ready[i + 1].revents != 0) OnReady(clients[i], ready[i + 1].revents);
    }
  }
}

}  // namespace atalaya::stress
