#include "cloud_server/app.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <latch>
#include <map>

#include "base/file.h"
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
  Result<std::shared_ptr<const Access>> access = Access::Load(config_.file.access);
  if (!access) return Forward(access.error());
  hub_.access = std::move(*access);
  if (Status opened = OpenListeners(); !opened) return opened;
  const std::size_t loops = UsableCpus();
  Result<std::unique_ptr<telemetry::StatsWriter>> stats =
      telemetry::StatsWriter::Create({config_.stats_file, config_.name, loops});
  if (!stats) return Forward(stats.error());
  stats_ = std::move(*stats);
  hub_.stats_file = config_.stats_file;
  DurableState state(ClockPair::Now());
  if (Status opened = OpenJournal(&state); !opened) return opened;
  for (std::size_t i = 0; i < loops * loops; ++i) {
    hub_.channels.push_back(std::make_unique<Channel>());
  }
  for (std::size_t i = 0; i < loops; ++i) {
    Result<std::unique_ptr<Loop>> loop =
        Loop::Create(static_cast<std::uint16_t>(i), &hub_, &stats_->loop(i), config_.file.limits);
    if (!loop) return Forward(loop.error());
    for (const auto& listener : hub_.listeners) {
      if (Status added = (*loop)->Listen(listener.get()); !added) return added;
    }
    hub_.loops.push_back(std::move(*loop));
  }
  Restore(&state);
  return OpenAdmin();
}

Status App::OpenAdmin() {
  const AdminConfig& config = config_.file.admin;
  if (!config.enabled) return {};
  Result<std::string> token = LoadAdminToken(config, config_.data_dir);
  if (!token) return Forward(token.error());
  Result<std::unique_ptr<AdminApi>> admin = AdminApi::Start(
      config, std::move(*token), &hub_, [this](const DrainOrder& order) { Drain(order); });
  if (!admin) return Forward(admin.error());
  admin_ = std::move(*admin);
  return {};
}

Status App::OpenJournal(DurableState* state) {
  if (!config_.keeps_on_disk) return {};
  DurabilityOptions options;
  options.folder = std::filesystem::path(config_.data_dir) / "journal";
  options.files = config_.journal_files;
  Result<std::unique_ptr<Durability>> durability = Durability::Open(options, state);
  if (!durability) return Forward(durability.error());
  hub_.durability = std::move(*durability);
  DurableLog log(hub_.durability.get());
  log.WriteClock();  // Before anything that a crash could follow.
  log.Submit();
  return {};
}

void App::Restore(DurableState* state) {
  hub_.retained.SetNextOrder(state->next_retained_order());
  telemetry::StatsLoop& stats = stats_->loop(0);
  for (const auto& [topic, saved] : state->retained()) {
    if (!saved.message || saved.message->IsExpired(state->clocks().steady_ns)) continue;
    const RetainedChange change = hub_.retained.Restore(saved.message, saved.order);
    stats.Add(telemetry::Stat::kRetainedMessages, change.messages);
    stats.Add(telemetry::Stat::kRetainedBytes, change.bytes);
  }
  // The latest session of a client counts, should the end of an earlier one have been lost.
  std::map<std::uint64_t, SavedSession*, std::greater<>> latest_first;
  for (auto& [id, saved] : state->sessions()) {
    if (saved.known) latest_first.emplace(id, &saved);
  }
  for (const auto& [id, saved] : latest_first) {
    const std::uint16_t owner = hub_.loops.front()->OwnerOf(saved->client_id);
    hub_.loops[owner]->Restore(saved, *state);
  }
}

Status App::OpenListeners() {
  const Result<std::vector<ListenerConfig>> wanted = AllListeners(config_.listen, config_.file);
  if (!wanted) return Forward(wanted.error());
  for (const ListenerConfig& config : *wanted) {
    Result<std::shared_ptr<const ListenerSetup>> setup = ListenerSetup::Load(config);
    if (!setup) return Forward(setup.error());
    Result<std::unique_ptr<Listener>> listener =
        Listener::Open(std::move(*setup), static_cast<std::uint16_t>(hub_.listeners.size()));
    if (!listener) return Forward(listener.error());
    addresses_.push_back((*listener)->address());
    hub_.listeners.push_back(std::move(*listener));
  }
  return {};
}

void App::Start() {
  hub_.loops.front()->NoteReload(true);
  if (hub_.durability != nullptr) {
    hub_.durability->journal().Start([this] {
      for (const auto& loop : hub_.loops) loop->OnJournalProgress();
    });
  }
  for (const auto& loop : hub_.loops) {
    threads_.emplace_back([&loop] { loop->Run(); });
  }
}

Status App::Run(StopSignal& stop) {
  Start();
  std::map<Protocol, std::string> served;
  for (const auto& listener : hub_.listeners) {
    std::string& addresses = served[listener->protocol()];
    if (!addresses.empty()) addresses += ',';
    addresses += listener->address().ToString();
  }
  std::string ready = "ready cloud_server";
  for (const auto& [protocol, addresses] : served) {
    ready += fmt::format(" {}={}", ProtocolName(protocol), addresses);
  }
  if (admin_ != nullptr) ready += fmt::format(" admin={}", admin_->address().ToString());
  std::printf("%s\n", ready.c_str());
  std::fflush(stdout);
  while (stop.Wait() == StopSignal::Kind::kReload) {
    if (Status reloaded = Reload(); !reloaded) {
      LogError("configuration kept as it was: {}", reloaded.error().message);
    } else {
      LogInfo("configuration reloaded");
    }
  }
  LogInfo("stopping");
  Stop();
  return {};
}

Status App::TryReload() {
  // All that can fail comes first, so that what fails changes nothing.
  Result<FileConfig> file = LoadFileConfig(config_.config_file);
  if (!file) return Forward(file.error());
  const Result<std::vector<ListenerConfig>> wanted = AllListeners(config_.listen, *file);
  if (!wanted) return Forward(wanted.error());
  if (wanted->size() != hub_.listeners.size()) {
    return Fail(ErrorCode::kInvalid, "listeners come and go with a restart only");
  }
  std::vector<std::shared_ptr<const ListenerSetup>> setups;
  for (std::size_t i = 0; i < wanted->size(); ++i) {
    const ListenerConfig& now = hub_.listeners[i]->setup()->config;
    const ListenerConfig& next = (*wanted)[i];
    if (next.address != now.address || next.protocol != now.protocol) {
      return Fail(ErrorCode::kInvalid, "{}: address and protocol change with a restart only",
                  next.place);
    }
    Result<std::shared_ptr<const ListenerSetup>> setup = ListenerSetup::Load(next);
    if (!setup) return Forward(setup.error());
    setups.push_back(std::move(*setup));
  }
  Result<std::shared_ptr<const Access>> access = Access::Load(file->access);
  if (!access) return Forward(access.error());
  if (Status admin = ReloadAdmin(file->admin); !admin) return admin;
  for (std::size_t i = 0; i < setups.size(); ++i) {
    hub_.listeners[i]->Replace(std::move(setups[i]));
  }
  config_.file = std::move(*file);
  for (const auto& loop : hub_.loops) {
    loop->SetLimits(config_.file.limits);
    loop->SetAccess(*access);
  }
  return {};
}

Status App::Reload() {
  Status reloaded = TryReload();
  hub_.loops.front()->NoteReload(reloaded.has_value());
  return reloaded;
}

Status App::ReloadAdmin(const AdminConfig& config) {
  const AdminConfig& now = config_.file.admin;
  if (config.enabled != now.enabled || config.listen != now.listen) {
    return Fail(ErrorCode::kInvalid, "[admin] comes, goes and moves with a restart only");
  }
  if (!config.enabled) return {};
  Result<std::string> token = LoadAdminToken(config, config_.data_dir);
  if (!token) return Forward(token.error());
  admin_->SetToken(std::move(*token));
  return {};
}

void App::Drain(const DrainOrder& order) {
  LogInfo("draining: clients are sent away within {} ms", order.within.count());
  undrained_ = hub_.loops.size();
  for (const auto& loop : hub_.loops) {
    loop->Drain(order.within, order.use_server, [this, end = order.end] {
      if (--undrained_ > 0) return;
      LogInfo("drained");
      if (end) kill(getpid(), SIGTERM);
    });
  }
  for (const auto& listener : hub_.listeners) listener->Refuse();
}

void App::Stop() {
  admin_.reset();  // Its requests wait for the loops.
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
  hub_.compaction.Stop();
  if (hub_.durability != nullptr) hub_.durability->journal().Stop();
}

}  // namespace atalaya::cloud_server
