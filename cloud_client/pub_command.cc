#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "cloud_client/commands.h"

namespace atalaya::cloud_client {
namespace {

// Lines of stdin that are read ahead of the server, or of the spool.
constexpr std::size_t kMaxOutstanding = 1000;

// What is spooled gets this long to be delivered while the server is there.
constexpr std::chrono::seconds kSpoolDrain{30};

constexpr std::size_t kStdinBytes = 65'536;

// What the client's thread tells the main one.
class Progress {
 public:
  explicit Progress(bool spooling) : spooling_(spooling) {}

  void Sent() {
    const std::lock_guard lock(mutex_);
    ++outstanding_;
  }
  void Done(const Result<Client::Delivery>& outcome) {
    const std::lock_guard lock(mutex_);
    --outstanding_;
    if (!outcome && failure_) failure_ = Forward(outcome.error());
    if (outcome && !outcome->matched) ++unmatched_;
    changed_.notify_all();
  }
  void OnConnection(const ConnectionEvent& event) {
    const std::lock_guard lock(mutex_);
    if (!event.connected && !spooling_ && failure_) failure_ = Forward(event.error);
    if (!event.connected && why_away_.empty()) why_away_ = event.error.message;
    connected_ = event.connected;
    ++looked_;
    changed_.notify_all();
  }
  void OnRefused(const Error& why) {
    const std::lock_guard lock(mutex_);
    if (failure_) failure_ = Forward(why);
    changed_.notify_all();
  }
  // Waits until at most `most` publishes are under way, or one or the connection failed.
  Status WaitForRoom(std::size_t most) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !failure_ || outstanding_ <= most; });
    return outstanding_ <= most && most == 0 && !refused_late() ? Status() : failure_;
  }
  // Whether the server is there; where it is not, once more is looked.
  bool WaitForServer() {
    std::unique_lock lock(mutex_);
    const std::size_t looked = looked_;
    changed_.wait(lock, [&] { return connected_ || looked_ > looked; });
    return connected_;
  }
  Status failure() {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  std::size_t unmatched() {
    const std::lock_guard lock(mutex_);
    return unmatched_;
  }
  std::string why_away() {
    const std::lock_guard lock(mutex_);
    return why_away_;
  }

 private:
  // A publish that the server refused counts although nothing is under way any more.
  bool refused_late() const { return !failure_ && failure_.error().code == ErrorCode::kRefused; }

  const bool spooling_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t outstanding_ = 0;
  std::size_t unmatched_ = 0;
  std::size_t looked_ = 0;
  bool connected_ = false;
  std::string why_away_;
  Status failure_;
};

// Hands each line of stdin to `take` as it comes; the last one needs no newline.
Status ForEachLine(const std::function<Status(std::string)>& take) {
  std::string rest;
  std::vector<char> chunk(kStdinBytes);
  while (true) {
    const ssize_t got = read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(ErrorCode::kIo, "cannot read from stdin: {}", ErrnoText(errno));
    if (got == 0) return rest.empty() ? Status() : take(std::move(rest));
    rest.append(chunk.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = rest.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      if (Status taken = take(rest.substr(begin, end - begin)); !taken) return taken;
    }
    rest.erase(0, begin);
    if (rest.size() > kMaxPublishBytes) {
      return Fail(ErrorCode::kLimit, "a line of stdin is longer than {} bytes", kMaxPublishBytes);
    }
  }
}

}  // namespace

Result<PubOutcome> RunPub(const PubOptions& options) {
  ClientOptions client_options;
  client_options.client_id = options.id;
  if (Status applied = options.link.Apply(&client_options); !applied) {
    return Forward(applied.error());
  }
  const bool spooling = client_options.spool.has_value();
  Progress progress(spooling);
  ClientCallbacks callbacks;
  callbacks.on_connection = [&](const ConnectionEvent& event) { progress.OnConnection(event); };
  callbacks.on_refused = [&](const std::string&, const Error& why) { progress.OnRefused(why); };
  Result<std::unique_ptr<Client>> client =
      Client::Start(std::move(client_options), std::move(callbacks));
  if (!client) return Forward(client.error());

  const auto publish = [&](std::string payload) -> Status {
    if (Status room = progress.WaitForRoom(kMaxOutstanding); !room) return room;
    progress.Sent();
    return (*client)->Publish(
        {.topic = options.topic,
         .payload = std::move(payload),
         .qos = options.qos,
         .retain = options.retain},
        [&](const Result<Client::Delivery>& outcome) { progress.Done(outcome); });
  };
  for (const std::string& message : options.messages) {
    if (Status published = publish(message); !published) return Forward(published.error());
  }
  if (options.from_stdin) {
    if (Status published = ForEachLine(publish); !published) return Forward(published.error());
  }
  if (Status all = progress.WaitForRoom(0); !all) return Forward(all.error());
  if (!spooling) {
    if (Status closed = (*client)->Close(std::chrono::milliseconds(0)); !closed) {
      return Forward(closed.error());
    }
    return PubOutcome{.unmatched = progress.unmatched(), .spooled = 0};
  }
  const bool there = progress.WaitForServer();
  // What is left is said below, in numbers.
  static_cast<void>((*client)->Close(there ? kSpoolDrain : std::chrono::seconds(0)));
  if (Status refused = progress.failure(); !refused) return Forward(refused.error());
  const std::size_t left = (*client)->stats().queued_packets;
  if (left > 0) {
    LogWarning("{} packets wait in {} for the server ({})", left, options.link.spool,
               progress.why_away());
  }
  return PubOutcome{.unmatched = 0, .spooled = left};
}

}  // namespace atalaya::cloud_client
