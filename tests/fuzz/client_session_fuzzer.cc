// What a server may send to the client library: every byte after CONNECT is the input's, and the
// connection ends with it.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/check.h"
#include "base/event_loop.h"
#include "base/net.h"
#include "cloud_client/backoff.h"
#include "cloud_client/mailbox.h"
#include "cloud_client/session.h"

namespace {

using namespace atalaya;
using namespace atalaya::cloud_client;

constexpr std::size_t kMaxInputBytes =
    65'536;  // Fits a socket's buffer, so that one send takes it.

// Accepts one connection and sends it the input.
class Server : public IoHandler {
 public:
  explicit Server(std::span<const std::uint8_t> input) : input_(input) {
    Result<UniqueFd> listener = ListenTcp({"127.0.0.1", 0});
    ATALAYA_CHECK(listener);
    listener_ = std::move(*listener);
  }
  int fd() const { return listener_.get(); }
  HostPort address() const { return *LocalAddress(listener_.get()); }

  void OnIo(std::uint32_t) override {
    peer_ = UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ATALAYA_CHECK(peer_);
    send(peer_.get(), input_.data(), input_.size(), MSG_NOSIGNAL);
    shutdown(peer_.get(), SHUT_WR);
  }

 private:
  std::span<const std::uint8_t> input_;
  UniqueFd listener_;
  UniqueFd peer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  ATALAYA_CHECK(loop);
  Server server({data, std::min(size, kMaxInputBytes)});
  ATALAYA_CHECK((*loop)->Add(server.fd(), EPOLLIN, &server));

  std::unique_ptr<Session> session;
  auto mailbox = std::make_shared<Mailbox>(loop->get(), [&] { session->TakeLetters(); });
  ClientOptions options;
  options.servers = {server.address()};
  options.protocol = size % 2 == 0 ? Protocol::kMqtt311 : Protocol::kNewest;
  options.client_id = "fuzz";
  ClientCallbacks callbacks;
  callbacks.on_connection = [&](const ConnectionEvent& event) {
    if (!event.connected) (*loop)->Stop();
  };
  callbacks.on_message = [](const Message& message, const Acknowledge& acknowledge) {
    ATALAYA_CHECK(!message.topic.empty());
    acknowledge();
  };
  session = std::make_unique<Session>(
      loop->get(), options, std::move(callbacks), mailbox,
      Backoff(options.reconnect_min, options.reconnect_max, [] { return 0.0; }), nullptr);
  std::size_t done = 0;
  for (const Qos qos : {Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    PendingPublish publish;
    publish.packet = {.topic = "a", .payload = "b", .qos = qos};
    publish.done = [&](const Result<Client::Delivery>&) { ++done; };
    ATALAYA_CHECK(mailbox->Publish(std::move(publish), 10, 1000));
  }
  session->Subscribe("#", Qos::kAtLeastOnce, [](const Result<Qos>&) {});
  (*loop)->SetTurnEnd([&] { session->TurnEnd(); });
  session->Start();
  (*loop)->Run();
  mailbox->CloseForAll();
  session->FailAll();
  ATALAYA_CHECK(done == 3 && mailbox->queued_packets() == 0);
  return 0;
}
