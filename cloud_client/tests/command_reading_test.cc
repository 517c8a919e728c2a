#include "cloud_client/command_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/unique_fd.h"
#include "cloud_client/tests/temp_folder.h"

namespace atalaya::cloud_client {
namespace {

using testing::HasSubstr;

constexpr std::chrono::milliseconds kPatience{20'000};

// Runs one command to its end; its reading as text, or its error.
std::string OutcomeOf(std::vector<std::string> run, std::chrono::milliseconds timeout = kPatience) {
  const std::unique_ptr<EventLoop> loop = std::move(*EventLoop::Create());
  CommandReading command(loop.get(), {.name = "x", .run = std::move(run), .timeout = timeout});
  std::string outcome;
  command.Start([&](Result<Reading> reading) {
    outcome = reading ? reading->fields.Text() : reading.error().message;
    loop->Stop();
  });
  loop->Run();
  return outcome;
}

TEST(CommandReading, TakesWhatTheCommandPrints) {
  EXPECT_EQ(OutcomeOf({"echo", "21.5"}), R"({"value":21.5})");
  EXPECT_EQ(OutcomeOf({"sh", "-c", "echo '{\"a\":1}'; cat; echo hidden >&2"}), R"({"a":1})");
}

TEST(CommandReading, SaysWhyThereIsNone) {
  EXPECT_EQ(OutcomeOf({"/no/such/program"}),
            "/no/such/program: cannot be started: No such file or directory");
  EXPECT_EQ(OutcomeOf({"sh", "-c", "echo 1; exit 3"}), "sh: ended with exit code 3");
  EXPECT_EQ(OutcomeOf({"sh", "-c", "kill -9 $$"}), "sh: ended with signal 9");
  EXPECT_THAT(OutcomeOf({"echo", "warm"}), HasSubstr("echo: \"warm\" is neither a number"));
  EXPECT_EQ(OutcomeOf({"sleep", "60"}, std::chrono::milliseconds(20)), "sleep: no end within 20ms");
  EXPECT_EQ(OutcomeOf({"yes"}), "yes: prints more than 65536 bytes");
}

// A child that outlives the command must not outlive its reading, nor hold it up.
TEST(CommandReading, LeavesNoProcessBehind) {
  const TempFolder folder;
  const std::string file = (folder.path() / "pid").string();
  EXPECT_EQ(OutcomeOf({"sh", "-c", "sleep 60 & echo $! > " + file + "; echo 1"}), R"({"value":1})");
  const pid_t child = std::stoi(*ReadFile(file));
  const UniqueFd ended(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  if (!ended) {
    EXPECT_EQ(errno, ESRCH);  // Gone already.
    return;
  }
  pollfd waited{ended.get(), POLLIN, 0};
  EXPECT_EQ(poll(&waited, 1, static_cast<int>(kPatience.count())), 1) << "the child is still there";
}

TEST(CommandReading, CanBeTakenAgain) {
  const std::unique_ptr<EventLoop> loop = std::move(*EventLoop::Create());
  CommandReading command(loop.get(), {.name = "x", .run = {"echo", "1"}, .timeout = kPatience});
  int taken = 0;
  std::function<void(Result<Reading>)> done = [&](const Result<Reading>& reading) {
    EXPECT_TRUE(reading);
    EXPECT_FALSE(command.running());
    if (++taken == 3) return loop->Stop();
    command.Start(done);
  };
  command.Start(done);
  loop->Run();
  EXPECT_EQ(taken, 3);
}

}  // namespace
}  // namespace atalaya::cloud_client
