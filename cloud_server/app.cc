#include "cloud_server/app.h"

#include <fmt/ranges.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <latch>

#include "base/log.h"
#include "cloud_server/data_dir.h"

namespace atalaya::cloud_server {
namespace {

// How long a stop waits for clients to take what is owed to them.
constexpr std::chrono::milliseconds kDrainTime{3'000};

std::size_t UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::clamp<std::size_t>(static_cast<std::size_t>(CPU_COUNT(&set)), 1,
                                 telemetry::kMaxStatsLoops);
}

// Each connection takes a descriptor: the soft limit of 1,024 is for programs that use select.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    LogWarning("cannot raise the limit of open files: {}", ErrnoText(errno));
  }
}

}  // namespace

Result<std::unique_ptr<App>> App::Create(const Config& config) {
  std::unique_ptr<App> app(new App(config));
  if (Status opened = app->Open(); !opened) return Forward(opened.error());
  return app;
}

App::~App() { Stop(); }

Status App::Open() {
  RaiseFileLimit();
  Result<UniqueFd> lock = LockDataDir(config_.data_dir);
  if (!lock) return Forward(lock.error());
  data_lock_ = std::move(*lock);
  for (const HostPort& wanted : config_.listen) {
    Result<UniqueFd> listener = ListenTcp(wanted);
    if (!listener) {
      return Fail(listener.error().code, "{}; choose another with --listen",
                  listener.error().message);
    }
    Result<HostPort> address = LocalAddress(listener->get());
    if (!address) return Forward(address.error());
    addresses_.push_back(*address);
    listeners_.push_back(std::move(*listener));
  }
  const std::size_t loops = UsableCpus();
  Result<std::unique_ptr<telemetry::StatsWriter>> stats =
      telemetry::StatsWriter::Create({config_.stats_file, config_.name, loops});
  if (!stats) return Forward(stats.error());
  stats_ = std::move(*stats);
  for (std::size_t i = 0; i < loops * loops; ++i) {
    hub_.channels.push_back(std::make_unique<Channel>());
  }
  for (std::size_t i = 0; i < loops; ++i) {
    Result<std::unique_ptr<Loop>> loop =
        Loop::Create(static_cast<std::uint16_t>(i), &hub_, &stats_->loop(i), config_.file.limits);
    if (!loop) return Forward(loop.error());
    for (const UniqueFd& listener : listeners_) {
      if (Status added = (*loop)->Listen(listener.get()); !added) return added;
    }
    hub_.loops.push_back(std::move(*loop));
  }
  return {};
}

void App::Start() {
  for (const auto& loop : hub_.loops) {
    threads_.emplace_back([&loop] { loop->Run(); });
  }
}

Status App::Run(StopSignal& stop) {
  Start();
  std::vector<std::string> served;
  for (const HostPort& address : addresses_) served.push_back(address.ToString());
  std::printf("ready cloud_server mqtt=%s\n", fmt::format("{}", fmt::join(served, ",")).c_str());
  std::fflush(stdout);
  while (stop.Wait() == StopSignal::Kind::kReload) Reload();
  LogInfo("stopping");
  Stop();
  return {};
}

void App::Reload() {
  Result<FileConfig> file = LoadFileConfig(config_.config_file);
  if (!file) {
    LogError("configuration kept as it was: {}", file.error().message);
    return;
  }
  config_.file = std::move(*file);
  for (const auto& loop : hub_.loops) loop->SetLimits(config_.file.limits);
  LogInfo("configuration reloaded");
}

void App::Stop() {
  if (threads_.empty()) return;
  stats_->MarkStopping();
  // First nobody takes in anything new, then what went from loop to loop arrives, then it leaves.
  std::latch all_stopped(static_cast<std::ptrdiff_t>(hub_.loops.size()));
  for (const auto& loop : hub_.loops) {
    loop->StopReading([&all_stopped] { all_stopped.count_down(); });
  }
  all_stopped.wait();
  for (const auto& loop : hub_.loops) loop->FinishStop(kDrainTime);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace atalaya::cloud_server
