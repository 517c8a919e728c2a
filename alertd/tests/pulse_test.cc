#include "alertd/pulse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "alertd/notify/tests/notify_bench.h"
#include "base/http_server.h"
#include "base/unique_fd.h"

namespace atalaya::alertd {
namespace {

using namespace std::chrono_literals;

constexpr int kDeadlineMs = 20'000;

// Where systemd would listen.
class NotifySocket {
 public:
  NotifySocket() : path_((folder_.path() / "notify").string()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    ATALAYA_CHECK(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  const std::string& path() const { return path_; }

  std::string Wait() const {
    pollfd readable{fd_.get(), POLLIN, 0};
    if (poll(&readable, 1, kDeadlineMs) != 1) return "nothing came";
    char text[64];
    const ssize_t size = recv(fd_.get(), text, sizeof text, 0);
    return std::string(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  }

 private:
  TestFolder folder_;
  std::string path_;
  UniqueFd fd_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

// An address that counts who asks.
class Watcher {
 public:
  explicit Watcher(int status) {
    HttpServerOptions options;
    options.listen = {{"127.0.0.1", 0}};
    options.threads = 2;
    Result<std::unique_ptr<HttpServer>> server =
        HttpServer::Start(options, [this, status](const HttpRequest&) {
          const std::lock_guard lock(mutex_);
          ++asked_;
          changed_.notify_all();
          HttpResponse response;
          response.status = status;
          return response;
        });
    ATALAYA_CHECK(server.has_value());
    server_ = std::move(*server);
  }
  std::string url() const { return "http://" + server_->addresses().at(0).ToString() + "/ping"; }
  bool WaitAsked() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [this] { return asked_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int asked_ = 0;
  std::unique_ptr<HttpServer> server_;
};

// Evaluates at each look.
struct BusyRules {
  std::shared_ptr<std::atomic<std::int64_t>> count = std::make_shared<std::atomic<std::int64_t>>(0);
  std::int64_t operator()() const { return ++*count; }
};

TEST(Pulse, TellsSystemdAgainAndAgainWhileTheRulesAreEvaluated) {
  const NotifySocket systemd;
  PulseOptions options;
  options.notify_socket = systemd.path();
  options.watchdog = 40ms;
  options.evaluated_ms = BusyRules();
  options.longest_evaluation = 1min;
  const Pulse pulse(std::move(options));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(systemd.Wait(), "WATCHDOG=1");
}

// Moves on by a minute whenever it is asked.
class HastyClock final : public Clock {
 public:
  std::int64_t NowMs() const override { return 0; }
  std::int64_t SteadyNs() const override { return now_ns_ += 60'000'000'000; }

 private:
  mutable std::atomic<std::int64_t> now_ns_{1};
};

TEST(Pulse, IsSilentWhileTheRulesAreStuck) {
  const NotifySocket systemd;
  Watcher watcher(200);
  const HastyClock clock;
  std::mutex mutex;
  std::condition_variable changed;
  std::int64_t looks = 0;
  PulseOptions options;
  options.clock = &clock;
  options.notify_socket = systemd.path();
  options.watchdog = 40ms;
  options.heartbeat = HeartbeatConfig{watcher.url(), 1s};
  options.longest_evaluation = 30s;
  options.evaluated_ms = [&]() -> std::int64_t {
    const std::lock_guard lock(mutex);
    ++looks;
    changed.notify_all();
    return looks <= 3 ? -1 : looks;  // Not at all, then at each look.
  };
  const Pulse pulse(std::move(options));
  EXPECT_EQ(systemd.Wait(), "WATCHDOG=1");
  {
    const std::lock_guard lock(mutex);
    EXPECT_GE(looks, 4) << "it was told while the rules were stuck";
  }
  EXPECT_TRUE(watcher.WaitAsked());
}

TEST(Pulse, CountsHeartbeatsThatWereNotAnswered) {
  for (const int status : {200, 500}) {
    Watcher watcher(status);
    std::unique_ptr<Pulse> pulse;
    {
      PulseOptions options;
      options.heartbeat = HeartbeatConfig{watcher.url(), 1min};
      options.evaluated_ms = BusyRules();
      options.longest_evaluation = 1min;
      pulse = std::make_unique<Pulse>(std::move(options));
    }
    ASSERT_TRUE(watcher.WaitAsked());
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    PulseFigures figures;
    while (figures.heartbeats_sent + figures.heartbeats_failed == 0 &&
           std::chrono::steady_clock::now() < deadline) {
      figures = pulse->Figures();
      std::this_thread::yield();
    }
    EXPECT_EQ(figures.heartbeats_sent, status == 200 ? 1u : 0u);
    EXPECT_EQ(figures.heartbeats_failed, status == 200 ? 0u : 1u);
  }
}

TEST(Pulse, ReadsWhatSystemdSays) {
  setenv("NOTIFY_SOCKET", "@atalaya", 1);
  setenv("WATCHDOG_USEC", "60000000", 1);
  PulseOptions options;
  ReadWatchdogEnvironment(options);
  EXPECT_EQ(options.notify_socket, "@atalaya");
  EXPECT_EQ(options.watchdog, 1min);
  setenv("WATCHDOG_PID", "1", 1);  // Another process's.
  PulseOptions others;
  ReadWatchdogEnvironment(others);
  EXPECT_EQ(others.watchdog, 0ms);
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
}

}  // namespace
}  // namespace atalaya::alertd
