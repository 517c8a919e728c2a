#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http_server.h"
#include "stress/alert_watch.h"
#include "stress/fault_clients.h"
#include "stress/server_process.h"
#include "stress/tests/fake_broker.h"

namespace atalaya::stress {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kDeadlineNs = 20'000'000'000;

// Looks again and again, up to a deadline.
bool Comes(const std::function<bool()>& condition) {
  const std::int64_t end_ns = SystemClock().SteadyNs() + kDeadlineNs;
  while (SystemClock().SteadyNs() < end_ns) {
    if (condition()) return true;
    poll(nullptr, 0, 5);
  }
  return false;
}

HttpServerOptions Loopback() {
  HttpServerOptions options;
  options.listen = {{"127.0.0.1", 0}};
  return options;
}

char StateOf(std::int64_t pid) {
  const std::string stat = ReadFile(fmt::format("/proc/{}/stat", pid)).value_or("");
  const std::size_t close = stat.rfind(')');
  return close == std::string::npos ? 'X' : stat[close + 2];
}

pid_t StartSleeper() {
  const pid_t pid = fork();
  if (pid == 0) {
    execl("/bin/sleep", "sleep", "300", nullptr);
    _exit(1);
  }
  Comes([pid] { return ReadFile(fmt::format("/proc/{}/comm", pid)).value_or("") == "sleep\n"; });
  return pid;
}

TEST(ServerProcess, IsHaltedKilledAndStartedAgainAsItWas) {
  const pid_t pid = StartSleeper();
  Result<std::unique_ptr<ServerProcess>> process = ServerProcess::Adopt(pid);
  ASSERT_TRUE(process.has_value()) << process.error().message;
  ASSERT_TRUE((*process)->Halt().has_value());
  EXPECT_TRUE(Comes([pid] { return StateOf(pid) == 'T'; }));
  ASSERT_TRUE((*process)->GoOn().has_value());
  EXPECT_TRUE(Comes([pid] { return StateOf(pid) == 'S'; }));
  ASSERT_TRUE((*process)->Kill().has_value());
  EXPECT_FALSE((*process)->Kill().has_value());  // It has ended.
  ASSERT_TRUE((*process)->Restart().has_value());
  const std::int64_t next = (*process)->pid();
  EXPECT_NE(next, pid);
  EXPECT_TRUE(Comes([next] {
    return ReadFile(fmt::format("/proc/{}/cmdline", next)).value_or("") == std::string(
                                                                               "sleep\0"
                                                                               "300\0",
                                                                               10);
  }));
  process->reset();
  EXPECT_TRUE(Comes([next] { return StateOf(next) == 'S'; })) << "what has a pid given lives on";
  kill(static_cast<pid_t>(next), SIGKILL);
  waitpid(static_cast<pid_t>(next), nullptr, 0);
}

TEST(ServerProcess, IsOnesOwn) {
  EXPECT_EQ(ServerProcess::Adopt(4'194'304).error().code, ErrorCode::kNotFound);
  if (geteuid() != 0) {
    EXPECT_EQ(ServerProcess::Adopt(1).error().code, ErrorCode::kRefused);
  }
}

TEST(ServerProcess, MustListenOnceItIsStarted) {
  HostPort address;
  {
    FakeBroker gone({});
    address = gone.address();
  }
  EXPECT_THAT(ServerProcess::Start("true", address).error().message, HasSubstr("does not listen"));
  FakeBroker there({});
  EXPECT_EQ(ServerProcess::Start("true", there.address()).error().code, ErrorCode::kBusy);
}

TEST(FaultClients, SayWhatBecameOfThem) {
  FakeBroker broker({});
  const TargetAddress target = *ResolveTarget(broker.address());
  Fault fault;
  fault.count = 5;
  const std::pair<FaultKind, const char*> kCases[] = {
      {FaultKind::kMalformed, "5 closed by the server"},
      {FaultKind::kHalfOpen, "0 taken in, 0 closed by the server"},
      {FaultKind::kConnectStorm, "5 taken in, 0 closed by the server"},
      {FaultKind::kSlowReaders, "0 refused"}};
  for (const auto& [kind, words] : kCases) {
    fault.kind = kind;
    const std::string wanted = words;
    std::string said;
    // Ending is the only way to ask; later is later.
    EXPECT_TRUE(Comes([&] {
      FaultClients clients(fault, target, "a/#", "f");
      poll(nullptr, 0, 100);
      said = clients.End();
      return said.find(wanted) != std::string::npos;
    })) << said;
  }
}

TEST(AlertWatch, NotesWhenAlertsFireAndResolve) {
  std::atomic<int> stage{0};
  const auto alert = [](const char* name, const char* state) {
    return fmt::format(
        R"({{"labels":{{"alertname":"{}","server":"a"}},"state":"{}","activeAt":"x","value":"1"}})",
        name, state);
  };
  const auto server = HttpServer::Start(Loopback(), [&](const HttpRequest& request) {
    EXPECT_EQ(request.path, "/api/v1/alerts");
    std::string alerts = alert("Old", "firing");
    if (stage == 1) alerts += "," + alert("ServerDown", "pending");
    if (stage == 2) alerts += "," + alert("ServerDown", "firing");
    return HttpResponse{
        200, "application/json", R"({"status":"success","data":{"alerts":[)" + alerts + "]}}", {}};
  });
  ASSERT_TRUE(server.has_value());
  const auto watch =
      AlertWatch::Start("http://" + (*server)->addresses().front().ToString() + "/", "");
  ASSERT_TRUE(watch.has_value()) << watch.error().message;
  stage = 1;
  stage = 2;
  ASSERT_TRUE(Comes([&] { return (*watch)->Events().size() == 2; }));
  stage = 3;
  ASSERT_TRUE(Comes([&] { return (*watch)->Events()[1].resolved_ns.has_value(); }));
  const std::vector<AlertEvent> events = (*watch)->Events();
  EXPECT_TRUE(events[0].from_before);
  EXPECT_EQ(events[1].name, "ServerDown");
  EXPECT_EQ(events[1].labels, "server=a");
  EXPECT_FALSE(events[1].from_before);
  EXPECT_GT(*events[1].resolved_ns, events[1].fired_ns);
  EXPECT_FALSE(events[0].resolved_ns.has_value());
}

TEST(AlertWatch, RefusesWhatIsNoListOfAlerts) {
  const auto server = HttpServer::Start(Loopback(), [](const HttpRequest&) {
    return HttpResponse{200, "text/html", "<html>", {}};
  });
  const auto watch = AlertWatch::Start("http://" + (*server)->addresses().front().ToString(), "");
  ASSERT_FALSE(watch.has_value());
  EXPECT_THAT(watch.error().message, HasSubstr("--alertd: http://"));
}

}  // namespace
}  // namespace atalaya::stress
