#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "cloud_client/readings.h"

namespace atalaya::cloud_client {

struct CommandSpec {
  std::string name;              // Goes to telemetry/ID/NAME.
  std::vector<std::string> run;  // The program, looked up in PATH, and its arguments; no shell.
  std::chrono::milliseconds timeout{0};
};

// Runs a command and makes a reading of what it prints (see ReadOutput). It runs in a process group
// of its own, without stdin and stderr, and its group is killed at its timeout, when it prints more
// than kMaxOutputBytes, and when this is destroyed. Threads: the loop's.
class CommandReading : public IoHandler {
 public:
  using Done = std::function<void(Result<Reading>)>;

  CommandReading(EventLoop* loop, CommandSpec spec) : loop_(loop), spec_(std::move(spec)) {}
  ~CommandReading() override;
  CommandReading(const CommandReading&) = delete;
  CommandReading& operator=(const CommandReading&) = delete;

  const CommandSpec& spec() const { return spec_; }
  bool running() const { return pid_ > 0; }  // Also one that was killed and has not ended yet.

  // Starts it, unless it runs; `done` is called once, later, in the loop. Errors name the program.
  void Start(Done done);

  void OnIo(std::uint32_t epoll_events) override;

 private:
  Status Spawn();
  void GiveUp(Error why);
  void TakeOutput();
  void CloseOutput();
  void Finish(Result<Reading> result);
  void Kill();

  EventLoop* loop_;
  const CommandSpec spec_;
  Done done_;
  pid_t pid_ = 0;
  UniqueFd ended_;   // A pidfd.
  UniqueFd output_;  // Reading end.
  std::string text_;
  TimerId timeout_ = 0;
};

}  // namespace atalaya::cloud_client
