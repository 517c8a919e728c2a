#include <condition_variable>
#include <iostream>
#include <mutex>

#include "cloud_client/commands.h"

namespace atalaya::cloud_client {
namespace {

// Lines of stdin that are read ahead of the server.
constexpr std::size_t kMaxOutstanding = 1000;

// What the client's thread tells the main one.
class Progress {
 public:
  void Sent() {
    const std::lock_guard lock(mutex_);
    ++outstanding_;
  }
  void Done(const Result<Client::Delivery>& outcome) {
    const std::lock_guard lock(mutex_);
    --outstanding_;
    if (!outcome && failure_) failure_ = Forward(outcome.error());
    changed_.notify_all();
  }
  void Failed(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (failure_) failure_ = Forward(error);
    changed_.notify_all();
  }
  // Waits until at most `most` publishes are under way, or one or the connection failed.
  Status WaitForRoom(std::size_t most) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !failure_ || outstanding_ <= most; });
    return outstanding_ <= most && most == 0 ? Status() : failure_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t outstanding_ = 0;
  Status failure_;
};

}  // namespace

Status RunPub(const PubOptions& options) {
  ClientOptions client_options;
  client_options.servers = {options.server};
  client_options.client_id = options.id;
  Progress progress;
  ClientCallbacks callbacks;
  callbacks.on_connection = [&](const ConnectionEvent& event) {
    if (!event.connected) progress.Failed(event.error);
  };
  Result<std::unique_ptr<Client>> client =
      Client::Start(std::move(client_options), std::move(callbacks));
  if (!client) return Forward(client.error());

  const auto publish = [&](std::string payload) -> Status {
    if (Status room = progress.WaitForRoom(kMaxOutstanding); !room) return room;
    progress.Sent();
    return (*client)->Publish({.topic = options.topic,
                               .payload = std::move(payload),
                               .qos = options.qos,
                               .retain = options.retain},
                              [&](const Result<Client::Delivery>& outcome) { progress.Done(outcome); });
  };
  for (const std::string& message : options.messages) {
    if (Status published = publish(message); !published) return published;
  }
  if (options.from_stdin) {
    for (std::string line; std::getline(std::cin, line);) {
      if (Status published = publish(line); !published) return published;
    }
  }
  if (Status all = progress.WaitForRoom(0); !all) return all;
  return (*client)->Close(std::chrono::milliseconds(0));
}

}  // namespace atalaya::cloud_client
