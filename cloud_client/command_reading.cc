#include "cloud_client/command_reading.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/duration.h"
#include "cloud_client/output_reading.h"

extern char** environ;

namespace atalaya::cloud_client {
namespace {

constexpr std::size_t kChunkBytes = 4'096;

// posix_spawn's two lists, which have to be given back.
struct SpawnPlan {
  SpawnPlan() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

std::string DescribeEnd(int status) {
  if (WIFEXITED(status)) return fmt::format("exit code {}", WEXITSTATUS(status));
  return fmt::format("signal {}", WTERMSIG(status));
}

}  // namespace

CommandReading::~CommandReading() {
  loop_->CancelTimer(timeout_);
  CloseOutput();
  Kill();
  if (ended_) loop_->Remove(ended_.get(), this);
  if (running()) waitpid(pid_, nullptr, WNOHANG);  // One that cannot die yet is left to init.
}

void CommandReading::Start(Done done) {
  if (running()) return;
  done_ = std::move(done);
  text_.clear();
  if (Status spawned = Spawn(); !spawned) {
    Kill();
    timeout_ = loop_->RunAfter(std::chrono::nanoseconds(0), [this, error = spawned.error()] {
      timeout_ = 0;
      Finish(Forward(error));
    });
    return;
  }
  timeout_ = loop_->RunAfter(spec_.timeout, [this] {
    timeout_ = 0;
    GiveUp({ErrorCode::kTimeout,
            fmt::format("{}: no end within {}", spec_.run[0], FormatDuration(spec_.timeout))});
  });
}

Status CommandReading::Spawn() {
  const auto failed = [this](std::string_view what, int error) {
    return Fail(ErrorCode::kIo, "{}: {}: {}", spec_.run[0], what, ErrnoText(error));
  };
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failed("pipe", errno);
  output_ = UniqueFd(ends[0]);
  const UniqueFd input(ends[1]);
  fcntl(output_.get(), F_SETFL, O_NONBLOCK);

  SpawnPlan plan;
  posix_spawn_file_actions_addopen(&plan.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&plan.files, input.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&plan.files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  sigset_t none;
  sigset_t normal;
  sigemptyset(&none);
  sigemptyset(&normal);
  sigaddset(&normal, SIGPIPE);
  posix_spawnattr_setsigmask(&plan.attributes, &none);
  posix_spawnattr_setsigdefault(&plan.attributes, &normal);
  posix_spawnattr_setpgroup(&plan.attributes, 0);
  posix_spawnattr_setflags(&plan.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> arguments;
  for (const std::string& word : spec_.run) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, arguments[0], &plan.files, &plan.attributes, arguments.data(), environ);
  if (error != 0) {
    output_.Reset();
    return failed("cannot be started", error);
  }
  pid_ = pid;
  ended_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  Status watched = ended_ ? loop_->Add(ended_.get(), EPOLLIN, this) : failed("pidfd_open", errno);
  if (watched) watched = loop_->Add(output_.get(), EPOLLIN, this);
  return watched;
}

void CommandReading::OnIo(std::uint32_t) {
  TakeOutput();
  int status = 0;
  if (!running() || waitpid(pid_, &status, WNOHANG) != pid_) return;
  TakeOutput();          // What it wrote just before its end.
  kill(-pid_, SIGKILL);  // What it left behind.
  pid_ = 0;
  loop_->Remove(ended_.get(), this);
  ended_.Reset();
  if (!done_) return;  // It was given up.
  if (status != 0) {
    return Finish(Fail(ErrorCode::kIo, "{}: ended with {}", spec_.run[0], DescribeEnd(status)));
  }
  Result<Reading> reading = ReadOutput(spec_.name, text_);
  if (reading) return Finish(std::move(reading));
  Finish(Fail(ErrorCode::kInvalid, "{}: {}", spec_.run[0], reading.error().message));
}

void CommandReading::TakeOutput() {
  char chunk[kChunkBytes];
  while (output_) {
    const ssize_t got = read(output_.get(), chunk, sizeof chunk);
    if (got < 0) return;
    if (got == 0) return CloseOutput();
    text_.append(chunk, static_cast<std::size_t>(got));
    if (text_.size() > kMaxOutputBytes) {
      return GiveUp({ErrorCode::kLimit,
                     fmt::format("{}: prints more than {} bytes", spec_.run[0], kMaxOutputBytes)});
    }
  }
}

// Does not wait for its end, which may be long: OnIo sees that.
void CommandReading::GiveUp(Error why) {
  Kill();
  Finish(Forward(std::move(why)));
}

void CommandReading::Kill() {
  if (!running()) return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);  // Where it has no group of its own yet.
}

void CommandReading::Finish(Result<Reading> result) {
  loop_->CancelTimer(std::exchange(timeout_, 0));
  CloseOutput();
  text_.clear();
  text_.shrink_to_fit();
  if (const Done done = std::exchange(done_, nullptr)) done(std::move(result));
}

void CommandReading::CloseOutput() {
  if (!output_) return;
  loop_->Remove(output_.get(), this);
  output_.Reset();
}

}  // namespace atalaya::cloud_client
