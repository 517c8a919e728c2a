#include "alertd/pulse.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "base/http_client.h"
#include "base/log.h"
#include "base/unique_fd.h"

namespace atalaya::alertd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHeartbeatTimeout{10'000};
constexpr std::size_t kHeartbeatReplyBytes = 64u << 10;
constexpr milliseconds kMinHeartbeat{1'000};
constexpr milliseconds kMaxHeartbeat{24 * 3'600'000};
constexpr milliseconds kLook{1'000};  // How often the rules are looked at.

Status TellSystemd(const std::string& path, std::string_view message) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Fail(ErrorCode::kInvalid, "NOTIFY_SOCKET is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';  // An abstract name.
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
             reinterpret_cast<const sockaddr*>(&address), length) < 0)
    return Fail(ErrorCode::kIo, "systemd's watchdog: {}", ErrnoText(errno));
  return {};
}

}  // namespace

HeartbeatConfig ReadHeartbeat(ConfigTable table) {
  HeartbeatConfig heartbeat;
  heartbeat.url = table.RequiredString("url");
  if (!heartbeat.url.empty() && !heartbeat.url.starts_with("http://") &&
      !heartbeat.url.starts_with("https://"))
    table.Fault(
        "url", fmt::format("\"{}\" is not a web address (write https://host/path)", heartbeat.url));
  heartbeat.interval = table.Duration("interval", heartbeat.interval);
  if (heartbeat.interval < kMinHeartbeat || heartbeat.interval > kMaxHeartbeat)
    table.Fault("interval", "is out of range (1s to 24h)");
  return heartbeat;
}

void ReadWatchdogEnvironment(PulseOptions& options) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  const char* time = std::getenv("WATCHDOG_USEC");
  const char* pid = std::getenv("WATCHDOG_PID");
  if (path == nullptr || *path == '\0' || time == nullptr) return;
  if (pid != nullptr && pid != std::to_string(getpid())) return;
  std::int64_t us = 0;
  std::from_chars(time, time + std::strlen(time), us);
  options.notify_socket = path;
  options.watchdog = milliseconds(us / 1'000);
}

struct Pulse::Impl {
  explicit Impl(PulseOptions with) : options(std::move(with)) {}
  void Run();
  bool Works();
  void Beat();
  void Watchdog();

  const PulseOptions options;
  std::int64_t evaluated_ms = -1;  // As last seen, and when that was.
  std::int64_t seen_ns = 0;
  std::int64_t beaten_ns = 0, told_ns = 0;  // 0: never.
  bool answered = true, stuck = false, systemd_hears = true;
  std::atomic<std::uint64_t> sent{0}, failed{0};
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::thread thread;
  HttpClient http;  // Last: its callbacks use the above until it ends.
};

void Pulse::Impl::Run() {
  while (true) {
    if (Works()) {
      Watchdog();
      Beat();
    }
    milliseconds wait = kLook;
    if (options.watchdog.count() > 0) wait = std::min(wait, options.watchdog / 4);
    std::unique_lock lock(mutex);
    if (changed.wait_for(lock, wait, [this] { return stopping; })) return;
  }
}

bool Pulse::Impl::Works() {
  const std::int64_t now_ns = options.clock->SteadyNs();
  if (const std::int64_t evaluated = options.evaluated_ms(); evaluated != evaluated_ms) {
    evaluated_ms = evaluated;
    seen_ns = now_ns;
  }
  const bool late = now_ns - seen_ns > options.longest_evaluation.count() * kNsPerMs;
  if (late && !stuck) {
    LogError(
        "the rules were not evaluated for {} ms: those who watch over this program are told "
        "nothing until they are",
        (now_ns - seen_ns) / kNsPerMs);
  }
  stuck = late;
  return !late;
}

void Pulse::Impl::Watchdog() {
  const std::int64_t now_ns = options.clock->SteadyNs();
  if (options.watchdog.count() <= 0) return;
  if (told_ns != 0 && now_ns - told_ns < options.watchdog.count() * kNsPerMs / 2) return;
  told_ns = now_ns;
  const Status told = TellSystemd(options.notify_socket, "WATCHDOG=1");
  if (!told && systemd_hears) LogWarning("{}", told.error().message);
  systemd_hears = told.has_value();
}

void Pulse::Impl::Beat() {
  const std::int64_t now_ns = options.clock->SteadyNs();
  if (!options.heartbeat) return;
  const std::int64_t interval_ns = options.heartbeat->interval.count() * kNsPerMs;
  if (beaten_ns != 0 && now_ns - beaten_ns < interval_ns) return;
  beaten_ns = now_ns;
  HttpClientRequest request;
  request.url = options.heartbeat->url;
  request.timeout = std::min(kHeartbeatTimeout, options.heartbeat->interval);
  request.body_limit_bytes = kHeartbeatReplyBytes;
  http.Send(std::move(request), [this](const Result<HttpClientReply>& reply) {
    const bool well = reply && reply->status >= 200 && reply->status < 300;
    ++(well ? sent : failed);
    if (well && !answered) LogInfo("heartbeat: answered again");
    if (!well && answered)
      LogWarning("heartbeat: {}",
                 reply ? fmt::format("HTTP status {}", reply->status) : reply.error().message);
    answered = well;
  });
}

Pulse::Pulse(PulseOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  impl_->seen_ns = impl_->options.clock->SteadyNs();
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
}

Pulse::~Pulse() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_one();
  impl_->thread.join();
}

PulseFigures Pulse::Figures() const { return {impl_->sent, impl_->failed}; }

}  // namespace atalaya::alertd
