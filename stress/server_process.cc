#include "stress/server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "base/clock.h"
#include "base/file.h"

extern char** environ;

namespace atalaya::stress {
namespace {

constexpr std::int64_t kStartLimitNs = 15'000'000'000;
constexpr int kEndLimitMs = 5'000;
constexpr int kStartPollMs = 20;

// Strings that end in zeros, as /proc has them.
std::vector<std::string> SplitAtZeros(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

bool Listens(const HostPort& target) {
  const Result<UniqueFd> probe = StartConnectTcp(target);
  if (!probe) return false;
  pollfd ready{probe->get(), POLLOUT, 0};
  return poll(&ready, 1, 1'000) == 1 && SocketError(probe->get()) == 0;
}

}  // namespace

Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(const std::string& command,
                                                            const HostPort& target) {
  if (Listens(target)) {
    return Fail(ErrorCode::kBusy, "--start: {} listens on {} already",
                DescribePortHolder(target.port), target.ToString());
  }
  std::unique_ptr<ServerProcess> process(new ServerProcess());
  process->program_ = "/bin/sh";
  process->arguments_ = {"sh", "-c", "exec " + command};
  for (char** one = environ; *one != nullptr; ++one) process->environment_.emplace_back(*one);
  process->folder_ = std::filesystem::current_path();
  process->ours_ = true;
  if (Status spawned = process->Spawn(); !spawned) return Forward(spawned.error());
  const std::int64_t limit_ns = SystemClock().SteadyNs() + kStartLimitNs;
  while (!Listens(target)) {
    pollfd ended{process->handle_.get(), POLLIN, 0};
    if (poll(&ended, 1, kStartPollMs) == 1 || SystemClock().SteadyNs() > limit_ns) {
      return Fail(ErrorCode::kTimeout, "--start: \"{}\" does not listen on {}", command,
                  target.ToString());
    }
  }
  return process;
}

Result<std::unique_ptr<ServerProcess>> ServerProcess::Adopt(std::int64_t pid) {
  std::unique_ptr<ServerProcess> process(new ServerProcess());
  process->pid_ = static_cast<pid_t>(pid);
  process->handle_.Reset(static_cast<int>(syscall(SYS_pidfd_open, process->pid_, 0)));
  struct stat owner {};
  if (!process->handle_ || stat(fmt::format("/proc/{}", pid).c_str(), &owner) != 0) {
    return Fail(ErrorCode::kNotFound, "--server-pid: no process has the pid {}", pid);
  }
  if (owner.st_uid != geteuid()) {
    return Fail(ErrorCode::kRefused, "--server-pid: process {} belongs to another user", pid);
  }
  std::error_code error;
  const std::string proc = fmt::format("/proc/{}/", pid);
  process->arguments_ = SplitAtZeros(ReadFile(proc + "cmdline").value_or(""));
  process->environment_ = SplitAtZeros(ReadFile(proc + "environ").value_or(""));
  process->folder_ = std::filesystem::read_symlink(proc + "cwd", error);
  process->program_ = std::filesystem::read_symlink(proc + "exe", error);
  if (process->arguments_.empty() || process->program_.empty() || process->folder_.empty()) {
    return Fail(ErrorCode::kRefused, "--server-pid: how process {} was started cannot be seen",
                pid);
  }
  return process;
}

ServerProcess::~ServerProcess() {
  if (pid_ == 0) return;
  GoOn();
  if (!ours_) return;
  Signal(SIGTERM);
  AwaitEnd(kEndLimitMs);
  if (pid_ != 0) Kill();
}

Status ServerProcess::Signal(int number) {
  if (pid_ != 0 && syscall(SYS_pidfd_send_signal, handle_.get(), number, nullptr, 0) == 0)
    return {};
  return Fail(ErrorCode::kIo, "the server's process could not be signalled: {}",
              pid_ == 0 ? "it has ended" : ErrnoText(errno));
}

void ServerProcess::AwaitEnd(int milliseconds) {
  pollfd ended{handle_.get(), POLLIN, 0};
  if (pid_ == 0 || poll(&ended, 1, milliseconds) != 1) return;
  waitpid(pid_, nullptr, WNOHANG);  // Where it is a child of ours.
  pid_ = 0;
  handle_.Reset();
}

Status ServerProcess::Kill() {
  if (Status sent = Signal(SIGKILL); !sent) return sent;
  AwaitEnd(kEndLimitMs);
  if (pid_ == 0) return {};
  return Fail(ErrorCode::kTimeout, "the server's process {} did not die", pid_);
}

Status ServerProcess::Halt() { return Signal(SIGSTOP); }
Status ServerProcess::GoOn() { return Signal(SIGCONT); }
Status ServerProcess::Restart() { return Spawn(); }

Status ServerProcess::Spawn() {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder_.c_str());
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);  // A Ctrl-C on the terminal is for the generator.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawn(&pid_, program_.c_str(), &actions, &attributes,
                                Pointers(arguments_).data(), Pointers(environment_).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = 0;
    return Fail(ErrorCode::kIo, "cannot start {}: {}", program_, ErrnoText(error));
  }
  handle_.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  return {};
}

}  // namespace atalaya::stress
