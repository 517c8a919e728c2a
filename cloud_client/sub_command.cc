#include <poll.h>
#include <sys/eventfd.h>

#include <cstdio>
#include <mutex>

#include "base/log.h"
#include "base/unique_fd.h"
#include "cloud_client/commands.h"

namespace atalaya::cloud_client {
namespace {

// Prints what comes, on the client's thread, and tells the main one when it is over.
class Printer {
 public:
  Printer(const SubOptions& options, UniqueFd ended)
      : options_(options), ended_(std::move(ended)) {}

  int ended_fd() const { return ended_.get(); }

  Status outcome() {
    const std::lock_guard lock(mutex_);
    return outcome_;
  }

  void OnConnection(const ConnectionEvent& event) {
    if (!event.connected && !was_connected_) return End(Forward(event.error));
    if (event.connected && lost_) LogInfo("connected again");
    if (!event.connected && !lost_) LogWarning("{}; trying again", event.error.message);
    was_connected_ = true;
    lost_ = !event.connected;
  }

  void OnMessage(const Message& message, const Acknowledge& acknowledge) {
    if (over_) return;
    if (options_.verbose) {
      std::fwrite(message.topic.data(), 1, message.topic.size(), stdout);
      std::fputc(' ', stdout);
    }
    std::fwrite(message.payload.data(), 1, message.payload.size(), stdout);
    std::fputc('\n', stdout);
    if (std::fflush(stdout) != 0) return End(Fail(ErrorCode::kIo, "cannot write to stdout"));
    acknowledge();
    if (++printed_ == options_.count) End({});
  }

  void End(Status outcome) {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    over_ = true;
    outcome_ = std::move(outcome);
    eventfd_write(ended_.get(), 1);
  }

 private:
  const SubOptions& options_;
  UniqueFd ended_;
  bool was_connected_ = false;  // The client's thread's own, as all down to over_.
  bool lost_ = false;
  std::int64_t printed_ = 0;
  bool over_ = false;
  std::mutex mutex_;
  Status outcome_;
};

}  // namespace

Status RunSub(const SubOptions& options, StopSignal& stop) {
  UniqueFd ended(eventfd(0, EFD_CLOEXEC));
  if (!ended) return Fail(ErrorCode::kIo, "eventfd: {}", ErrnoText(errno));
  Printer printer(options, std::move(ended));
  ClientOptions client_options;
  client_options.client_id = options.id;
  client_options.clean_session = !options.keep_session;
  if (Status applied = options.link.Apply(&client_options); !applied) return applied;
  ClientCallbacks callbacks;
  callbacks.on_connection = [&](const ConnectionEvent& event) { printer.OnConnection(event); };
  callbacks.on_message = [&](const Message& message, const Acknowledge& acknowledge) {
    printer.OnMessage(message, acknowledge);
  };
  Result<std::unique_ptr<Client>> client =
      Client::Start(std::move(client_options), std::move(callbacks));
  if (!client) return Forward(client.error());
  for (const std::string& topic : options.topics) {
    const auto granted = [&](const Result<Qos>& qos) {
      if (!qos) printer.End(Forward(qos.error()));
    };
    if (Status asked = (*client)->Subscribe(topic, options.qos, granted); !asked) return asked;
  }
  while (stop.Take() != StopSignal::Kind::kStop) {
    pollfd waited[] = {{stop.fd(), POLLIN, 0}, {printer.ended_fd(), POLLIN, 0}};
    poll(waited, 2, -1);
    if ((waited[1].revents & POLLIN) != 0) break;
  }
  static_cast<void>((*client)->Close(std::chrono::milliseconds(0)));  // Nothing was published.
  return printer.outcome();
}

}  // namespace atalaya::cloud_client
