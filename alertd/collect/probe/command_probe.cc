// A program in the manner of Nagios plugins: its exit code is the verdict, its output says why.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>

#include "alertd/collect/probe/plugin_output.h"
#include "alertd/collect/probe/probe.h"
#include "alertd/collect/probe/probe_tools.h"
#include "base/duration.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMaxCommandOutput = 64u << 10;
constexpr int kReapWaitMs = 100;  // For a program that was killed, when its probe goes.
constexpr int kStateUnknown = 3;
constexpr std::array<std::string_view, 4> kStateNames = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

// All that a plugin gets to see of ours.
char kPathVariable[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
char kLocaleVariable[] = "LC_ALL=C";
char* const kEnvironment[] = {kPathVariable, kLocaleVariable, nullptr};

// Starts `command` in a process group of its own, with both outputs into `output`. Returns 0 or an
// errno.
int Spawn(const std::vector<std::string>& command, int output, pid_t* pid) {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error =
      posix_spawn(pid, arguments[0], &actions, &attributes, arguments.data(), kEnvironment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

class CommandProbe final : public Probe {
 public:
  CommandProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events)
      : Probe(std::move(events)), config_(config), tools_(tools) {}

  ~CommandProbe() override {
    tools_.loop.CancelTimer(timer_);
    StopReading();
    if (pid_ == 0) return;
    kill(-pid_, SIGKILL);
    pollfd ended{pidfd_.get(), POLLIN, 0};
    poll(&ended, 1, kReapWaitMs);
    Reap();
  }

  void Begin() override {
    tools_.slots.Take([this] { Start(); });
  }

 private:
  struct Output : IoHandler {
    void OnIo(std::uint32_t) override { owner->Read(); }
    CommandProbe* owner = nullptr;
  };
  struct Exit : IoHandler {
    void OnIo(std::uint32_t) override { owner->Ended(); }
    CommandProbe* owner = nullptr;
  };

  void Start() {
    looking_ = true;
    text_.clear();
    // In the kernel's hands: a network's file system that hangs, as a rule.
    if (pid_ != 0) return Finish({ProbeFaultKind::kTimeout, "the one before cannot be ended"});
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return Finish({ProbeFaultKind::kSystem, ErrnoText(errno)});
    output_ = UniqueFd(ends[0]);
    const UniqueFd write_end(ends[1]);
    fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    if (const int error = Spawn(config_.command, write_end.get(), &pid_); error != 0) {
      pid_ = 0;
      return Finish({ProbeFaultKind::kSystem,
                     fmt::format("{} cannot be started: {}", config_.target, ErrnoText(error))});
    }
    pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    output_handler_.owner = exit_handler_.owner = this;
    Status watched = tools_.loop.Add(pidfd_.get(), EPOLLIN, &exit_handler_);
    if (!watched) {
      kill(-pid_, SIGKILL);
      waitpid(std::exchange(pid_, 0), nullptr, 0);
    } else {
      watched = tools_.loop.Add(output_.get(), EPOLLIN, &output_handler_);
    }
    if (!watched) return Finish({ProbeFaultKind::kSystem, watched.error().message});
    timer_ = tools_.loop.RunAfter(config_.timeout, [this] {
      Finish({ProbeFaultKind::kTimeout,
              fmt::format("not done within {}", FormatDuration(config_.timeout))});
    });
  }

  // False where there is nothing more now.
  bool ReadSome() {
    char buffer[4'096];
    const ssize_t got = read(output_.get(), buffer, sizeof buffer);
    if (got == 0) StopReading();
    if (got <= 0) return false;
    text_.append(buffer, static_cast<std::size_t>(got));
    return text_.size() <= kMaxCommandOutput;
  }

  void Read() {
    ReadSome();
    if (text_.size() > kMaxCommandOutput)
      Finish({ProbeFaultKind::kLimit, fmt::format("wrote more than {} bytes", kMaxCommandOutput)});
  }

  void Ended() {
    if (looking_) {
      while (output_ && ReadSome()) continue;
    }
    const int status = Reap();
    if (!looking_) return;
    if (WIFSIGNALED(status)) {
      return Finish({ProbeFaultKind::kState, fmt::format("ended by signal {}", WTERMSIG(status))});
    }
    const int code = WEXITSTATUS(status);
    if (code > kStateUnknown)
      return Finish({ProbeFaultKind::kState, fmt::format("ended with code {}", code)});
    Judge(code);
  }

  // Ends what is left of its group with it, while the id is still its own.
  int Reap() {
    int status = 0;
    kill(-pid_, SIGKILL);
    waitpid(pid_, &status, WNOHANG);
    tools_.loop.Remove(pidfd_.get(), &exit_handler_);
    pidfd_.Reset();
    pid_ = 0;
    return status;
  }

  void Judge(int state) {
    PluginOutput said = ReadPluginOutput(text_);
    ProbeOutcome outcome;
    outcome.note = fmt::format("{}: {}", kStateNames[static_cast<std::size_t>(state)], said.text);
    // A warning is no failure: a rule on probe_command_state tells them apart.
    if (state > 1) outcome.fault = ProbeFault{ProbeFaultKind::kState, outcome.note};
    outcome.values.push_back({"probe_command_state", static_cast<double>(state), {}, {}});
    for (PluginOutput::Value& value : said.values) {
      outcome.values.push_back(
          {"probe_command_perfdata", value.value, "label", std::move(value.label)});
    }
    End(std::move(outcome));
  }

  // It came to no verdict.
  void Finish(ProbeFault fault) {
    ProbeOutcome outcome;
    const std::string said = ReadPluginOutput(text_).text;
    outcome.note = said.empty() ? "" : fmt::format("{}: {}", kStateNames[kStateUnknown], said);
    if (!said.empty()) fault.message += ": " + said;
    outcome.fault = std::move(fault);
    outcome.values.push_back({"probe_command_state", kStateUnknown, {}, {}});
    if (pid_ != 0) kill(-pid_, SIGKILL);  // It is reaped once it has ended.
    End(std::move(outcome));
  }

  void End(ProbeOutcome outcome) {
    looking_ = false;
    tools_.loop.CancelTimer(std::exchange(timer_, 0));
    StopReading();
    tools_.slots.Give();
    events_.done(std::move(outcome));
  }

  void StopReading() {
    if (!output_) return;
    tools_.loop.Remove(output_.get(), &output_handler_);
    output_.Reset();
  }

  const ProbeConfig& config_;
  ProbeTools& tools_;
  Output output_handler_;
  Exit exit_handler_;
  bool looking_ = false;
  pid_t pid_ = 0;  // 0: none runs.
  UniqueFd pidfd_, output_;
  std::string text_;
  TimerId timer_ = 0;
};

}  // namespace

std::unique_ptr<Probe> MakeCommandProbe(const ProbeConfig& config, ProbeTools& tools,
                                        ProbeEvents events) {
  return std::make_unique<CommandProbe>(config, tools, std::move(events));
}

}  // namespace atalaya::alertd
