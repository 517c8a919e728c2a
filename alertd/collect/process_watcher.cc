#include "alertd/collect/process_watcher.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <optional>

#include "alertd/collect/loop_thread.h"
#include "base/file.h"
#include "base/log.h"
#include "telemetry/server_state.h"
#include "telemetry/stats_segment.h"

namespace atalaya::alertd {
namespace {

constexpr std::uint32_t kFileEvents = IN_MOVED_TO | IN_CLOSE_WRITE;
constexpr std::size_t kInotifyBytes = 16u << 10;
constexpr std::size_t kPidFileBytes = 64;
const std::filesystem::path kProcfs = "/proc";

// What the watched file says about its process.
struct Claim {
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  // 0: the file does not tell.
  std::string boot_id;            // "": the file does not tell.
  bool stopping = false;
};

Result<Claim> ReadClaim(const ProcessConfig& config) {
  if (!config.stats_file.empty()) {
    const Result<telemetry::StatsSnapshot> stats = telemetry::ReadStats(config.stats_file);
    if (!stats) return Forward(stats.error());
    return Claim{stats->pid, stats->process_start_ticks, stats->boot_id, stats->stopping};
  }
  const Result<std::string> text = ReadFile(config.pid_file, kPidFileBytes);
  if (!text) return Forward(text.error());
  Claim claim;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), claim.pid);
  if (parsed.ec != std::errc() || claim.pid <= 0)
    return Fail(ErrorCode::kInvalid, "{}: holds no process id", config.pid_file);
  return claim;
}

bool Lives(const Claim& claim) {
  if (!claim.boot_id.empty() && claim.boot_id != telemetry::ReadBootId(kProcfs)) return false;
  const auto process = telemetry::ReadProcessIdentity(kProcfs, claim.pid);
  return process && process->state != 'Z' && process->state != 'X' &&
         (claim.start_ticks == 0 || claim.start_ticks == process->start_ticks);
}

}  // namespace

struct ProcessWatcher::Impl {
  struct Watch : IoHandler {
    void OnIo(std::uint32_t) override { owner->Ended(*this); }

    Impl* owner = nullptr;
    ProcessConfig config;
    TargetBoard::Id target = 0;
    std::shared_ptr<telemetry::Series> up, planned;
    int directory = -1;  // The inotify watch, or -1 while the folder is not there.
    UniqueFd pidfd;      // Of the process that lives.
    std::int64_t pid = 0;
    std::int64_t planned_until_ns = 0;  // Steady clock; 0: no planned stop.
    TimerId grace_timer = 0;
  };
  struct Folder : IoHandler {
    void OnIo(std::uint32_t) override { owner->FilesChanged(); }
    Impl* owner = nullptr;
  };

  Impl(TargetBoard& with_board, SampleQueue& with_queue, const Clock& with_clock,
       std::unique_ptr<EventLoop> loop)
      : board(with_board), queue(with_queue), clock(with_clock), thread(std::move(loop)) {}

  void Begin();
  void FilesChanged();
  void WatchFolder(Watch& watch);
  void Look(Watch& watch, bool first);
  bool Attach(Watch& watch, const Claim& claim);
  void Ended(Watch& watch);
  void StartGrace(Watch& watch);
  void EndGrace(Watch& watch);
  void Refresh();
  void Report(Watch& watch, std::int64_t event_ns, const std::string& error);
  void AddSamples(const Watch& watch, SampleBatch& batch);

  TargetBoard& board;
  SampleQueue& queue;
  const Clock& clock;
  UniqueFd inotify;
  Folder folder;
  std::vector<std::unique_ptr<Watch>> watches;
  LoopThread thread;
};

void ProcessWatcher::Impl::Begin() {
  for (const auto& watch : watches) {
    WatchFolder(*watch);
    Look(*watch, true);
  }
  thread.loop().RunAfter(kProcessRefresh, [this] { Refresh(); });
}

void ProcessWatcher::Impl::WatchFolder(Watch& watch) {
  if (watch.directory >= 0) return;
  const std::filesystem::path path =
      watch.config.stats_file.empty() ? watch.config.pid_file : watch.config.stats_file;
  const std::string parent = path.has_parent_path() ? path.parent_path().string() : ".";
  watch.directory = inotify_add_watch(inotify.get(), parent.c_str(), kFileEvents);
}

void ProcessWatcher::Impl::FilesChanged() {
  alignas(inotify_event) char buffer[kInotifyBytes];
  std::vector<Watch*> touched;
  while (true) {
    const ssize_t got = read(inotify.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      const std::string_view name = event->len == 0 ? "" : event->name;
      for (const auto& watch : watches) {
        const std::filesystem::path path =
            watch->config.stats_file.empty() ? watch->config.pid_file : watch->config.stats_file;
        if (event->wd == watch->directory && path.filename() == name)
          touched.push_back(watch.get());
        if (event->wd == watch->directory && (event->mask & IN_IGNORED) != 0) watch->directory = -1;
      }
    }
  }
  for (Watch* watch : touched) Look(*watch, false);
}

// Sees whether the process that the file names is another one than before.
void ProcessWatcher::Impl::Look(Watch& watch, bool first) {
  const Result<Claim> claim = ReadClaim(watch.config);
  if (claim && watch.pidfd && claim->pid == watch.pid) return;
  if (claim && Lives(*claim) && Attach(watch, *claim)) {
    EndGrace(watch);
    Report(watch, clock.SteadyNs(), "");
    return;
  }
  if (watch.pidfd || !first) return;
  // Not started yet, or stopped as planned before the watch began; a crash is neither.
  if (!claim || claim->stopping) StartGrace(watch);
  Report(watch, clock.SteadyNs(), claim ? "the process is gone" : claim.error().message);
}

bool ProcessWatcher::Impl::Attach(Watch& watch, const Claim& claim) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(claim.pid), 0)));
  // Asked again, since the id could have gone to another process before it was opened.
  if (!pidfd || !Lives(claim)) return false;
  if (watch.pidfd) thread.loop().Remove(watch.pidfd.get(), &watch);
  watch.pidfd = std::move(pidfd);
  watch.pid = claim.pid;
  if (Status added = thread.loop().Add(watch.pidfd.get(), EPOLLIN, &watch); !added) {
    LogError("process {}: {}", watch.config.name, added.error().message);
    watch.pidfd.Reset();
    return false;
  }
  return true;
}

void ProcessWatcher::Impl::Ended(Watch& watch) {
  const std::int64_t event_ns = clock.SteadyNs();
  thread.loop().Remove(watch.pidfd.get(), &watch);
  watch.pidfd.Reset();
  const Result<Claim> claim = ReadClaim(watch.config);
  const bool restarted = claim && claim->pid != watch.pid && Lives(*claim);
  const bool planned =
      claim ? claim->pid == watch.pid && claim->stopping : !watch.config.pid_file.empty();
  if (restarted && Attach(watch, *claim)) {
    Report(watch, event_ns, "");
    return;
  }
  if (planned) StartGrace(watch);
  Report(watch, event_ns, planned ? "stopped as planned" : "ended without a planned stop");
}

void ProcessWatcher::Impl::StartGrace(Watch& watch) {
  EndGrace(watch);
  watch.planned_until_ns = clock.SteadyNs() + std::chrono::nanoseconds(kPlannedStopGrace).count();
  watch.grace_timer = thread.loop().RunAfter(kPlannedStopGrace, [this, &watch] {
    EndGrace(watch);
    Report(watch, clock.SteadyNs(), "not started again after its planned stop");
  });
}

void ProcessWatcher::Impl::EndGrace(Watch& watch) {
  thread.loop().CancelTimer(watch.grace_timer);
  watch.grace_timer = 0;
  watch.planned_until_ns = 0;
}

void ProcessWatcher::Impl::Report(Watch& watch, std::int64_t event_ns, const std::string& error) {
  board.Looked(watch.target, error, clock.NowMs(), std::chrono::nanoseconds(0));
  SampleBatch batch;
  AddSamples(watch, batch);
  batch.event_ns = event_ns;
  batch.saved = [&to = board, target = watch.target] { to.Arrived(target); };
  queue.Push(std::move(batch));
}

void ProcessWatcher::Impl::AddSamples(const Watch& watch, SampleBatch& batch) {
  const std::int64_t now_ms = clock.NowMs();
  // A server that is draining still lives, and has said that it will not for long.
  bool planned = watch.planned_until_ns != 0;
  if (watch.pidfd && !watch.config.stats_file.empty()) {
    const Result<Claim> claim = ReadClaim(watch.config);
    planned = claim && claim->pid == watch.pid && claim->stopping;
  }
  batch.samples.push_back({watch.up, {now_ms, watch.pidfd ? 1.0 : 0.0}});
  batch.samples.push_back({watch.planned, {now_ms, planned ? 1.0 : 0.0}});
}

void ProcessWatcher::Impl::Refresh() {
  SampleBatch batch;
  for (const auto& watch : watches) {
    WatchFolder(*watch);
    if (!watch->pidfd) Look(*watch, false);
    AddSamples(*watch, batch);
  }
  if (!batch.samples.empty()) queue.Push(std::move(batch));
  thread.loop().RunAfter(kProcessRefresh, [this] { Refresh(); });
}

ProcessWatcher::ProcessWatcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessWatcher::~ProcessWatcher() { impl_->thread.Stop(); }

void ProcessWatcher::End() {
  impl_->thread.Stop();
  for (const auto& watch : impl_->watches) {
    impl_->board.Remove(watch->target);
    impl_->queue.Push(EndOf({watch->up, watch->planned}, impl_->clock.NowMs()));
  }
}

Result<std::unique_ptr<ProcessWatcher>> ProcessWatcher::Create(
    const std::vector<ProcessConfig>& processes, TargetBoard& board, SampleQueue& queue,
    const Clock& clock) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) return Forward(loop.error());
  auto impl = std::make_unique<Impl>(board, queue, clock, std::move(*loop));
  impl->inotify = UniqueFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!impl->inotify) return Fail(ErrorCode::kIo, "inotify: {}", ErrnoText(errno));
  impl->folder.owner = impl.get();
  if (Status added = impl->thread.loop().Add(impl->inotify.get(), EPOLLIN, &impl->folder); !added)
    return Forward(added.error());
  for (const ProcessConfig& config : processes) {
    auto watch = std::make_unique<Impl::Watch>();
    watch->owner = impl.get();
    watch->config = config;
    telemetry::Labels labels({config.labels.begin(), config.labels.end()});
    labels.Set("process", config.name);
    watch->up = NamedSeries(labels, "process_watch_up");
    watch->planned = NamedSeries(labels, "process_watch_stop_planned");
    watch->target =
        board.Add({.kind = TargetKind::kProcess,
                   .pool = config.name,
                   .address = config.stats_file.empty() ? config.pid_file : config.stats_file,
                   .labels = labels,
                   .last_error = ""});
    impl->watches.push_back(std::move(watch));
  }
  impl->thread.loop().Post([impl = impl.get()] { impl->Begin(); });
  impl->thread.Start();
  return std::unique_ptr<ProcessWatcher>(new ProcessWatcher(std::move(impl)));
}

}  // namespace atalaya::alertd
