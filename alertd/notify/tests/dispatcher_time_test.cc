// Time-lines of groups, after what Alertmanager documents, on a clock of their own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "alertd/notify/dispatcher.h"
#include "alertd/notify/outbox_store.h"
#include "alertd/notify/tests/notify_bench.h"

namespace atalaya::alertd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kSilencedLabel[] = "instance";

// Alerts that come and go, and each notice as one line: "30s ops Down +a +b -c" (firing: +).
class Timeline : public testing::Test {
 protected:
  Timeline()
      : database_(OpenTestState(folder_)),
        silences_(*SilenceBook::Open(OpenTestState(folder_), clock_)) {
    Route("");
  }

  void Route(const std::string& toml,
             std::vector<ReceiverConfig> receivers = {WebhookReceiver("ops")}) {
    options_.routing = MakeRouting(std::move(receivers), toml);
    options_.silences = silences_.get();
    options_.clock = &clock_;
    Restart();
  }

  void Restart() { dispatcher_ = std::make_unique<Dispatcher>(options_); }

  void Fire(const std::string& name, const std::string& instance, bool immediate = false) {
    Alert alert = FiringAlert(name, instance, clock_.NowMs());
    alert.immediate = immediate;
    firing_[name + "/" + instance] = alert;
  }
  void Resolve(const std::string& name, const std::string& instance) {
    resolved_.push_back(
        atalaya::alertd::Resolved(firing_.at(name + "/" + instance), clock_.NowMs()));
    firing_.erase(name + "/" + instance);
  }
  // The labels that FiringAlert gives, with another severity.
  void FireWith(const std::string& name, const std::string& instance, const std::string& severity) {
    Fire(name, instance);
    firing_[name + "/" + instance].labels.Set("severity", severity);
  }

  std::string Silence(const std::string& instance, std::chrono::milliseconds length) {
    alertd::Silence silence;
    silence.matchers = {{telemetry::Matcher::Kind::kEqual, kSilencedLabel, instance}};
    silence.ends_ms = clock_.NowMs() + length.count();
    return *silences_->Set(silence);
  }

  // As one evaluation of the rules.
  void Tick() {
    AlertsNow alerts;
    for (const auto& [key, alert] : firing_) alerts.firing.push_back(alert);
    alerts.resolved = std::exchange(resolved_, {});
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database_);
    ASSERT_TRUE(transaction);
    const Result<std::size_t> written = dispatcher_->Process(database_, alerts, clock_.NowMs());
    ASSERT_TRUE(written) << written.error().message;
    ASSERT_TRUE(transaction->Commit());
  }

  // What is told from now, a change included, up to `offset` from the beginning.
  std::vector<std::string> Until(std::chrono::milliseconds offset) {
    const std::int64_t end_ms = kStartMs + offset.count();
    Tick();
    std::vector<std::string> told = TakeTold();
    while (true) {
      const std::optional<std::int64_t> due_ms = dispatcher_->next_due_ms();
      if (!due_ms || *due_ms > end_ms) break;
      EXPECT_GT(*due_ms, clock_.NowMs()) << "would be called for ever";
      clock_.Advance(std::chrono::milliseconds(*due_ms - clock_.NowMs()));
      Tick();
      for (std::string& line : TakeTold()) told.push_back(std::move(line));
    }
    clock_.Advance(std::chrono::milliseconds(end_ms - clock_.NowMs()));
    return told;
  }

  std::vector<std::string> TakeTold() {
    const Result<std::vector<OutboxRow>> rows =
        ListOutbox(database_, {.state = OutboxState::kWaiting});
    EXPECT_TRUE(rows);
    std::vector<std::string> lines;
    for (auto row = rows->rbegin(); row != rows->rend(); ++row) {
      const auto whole = FindWaiting(database_, row->receiver, row->target, row->group_key);
      const Result<Notice> notice = DecodeNotice((*whole)->content);
      EXPECT_TRUE(notice);
      std::string line = fmt::format("{}s {}", (row->created_ms - kStartMs) / 1000, row->receiver);
      for (const auto& [name, value] : notice->group_labels) line += fmt::format(" {}", value);
      line += ":";
      for (const NoticeAlert& alert : notice->alerts)
        line += fmt::format(" {}{}", alert.firing ? "+" : "-", alert.labels.Get("instance"));
      lines.push_back(line);
      EXPECT_TRUE(RecordAttempt(database_, {.id = row->id, .state = OutboxState::kSent}));
    }
    return lines;
  }

  TestFolder folder_;
  FakeClock clock_{kStartMs};
  SqliteDatabase database_;
  std::unique_ptr<SilenceBook> silences_;
  DispatcherOptions options_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::map<std::string, Alert> firing_;
  std::vector<Alert> resolved_;
};

TEST_F(Timeline, ANewGroupWaitsAndGathers) {
  Fire("Down", "a");
  EXPECT_THAT(Until(10s), IsEmpty());
  Fire("Down", "b");
  EXPECT_THAT(Until(29s), IsEmpty());
  EXPECT_THAT(Until(60s), ElementsAre("30s ops Down: +a +b"));
}

TEST_F(Timeline, LaterChangesWaitForTheInterval) {
  Fire("Down", "a");
  EXPECT_THAT(Until(60s), ElementsAre("30s ops Down: +a"));
  Fire("Down", "b");
  EXPECT_THAT(Until(200s), IsEmpty());
  Resolve("Down", "a");
  EXPECT_THAT(Until(400s), ElementsAre("330s ops Down: +b -a"));
  Resolve("Down", "b");
  EXPECT_THAT(Until(700s), ElementsAre("630s ops Down: -b"));
}

TEST_F(Timeline, AGroupThatIsOverIsForgotten) {
  Fire("Down", "a");
  EXPECT_THAT(Until(60s), ElementsAre("30s ops Down: +a"));
  Resolve("Down", "a");
  EXPECT_THAT(Until(400s), ElementsAre("330s ops Down: -a"));
  EXPECT_FALSE(dispatcher_->next_due_ms());
  Fire("Down", "a");  // So that it waits like a new one.
  EXPECT_THAT(Until(500s), ElementsAre("430s ops Down: +a"));
}

TEST_F(Timeline, WhatEndsBeforeItIsToldIsNeverTold) {
  Fire("Down", "a");
  EXPECT_THAT(Until(10s), IsEmpty());
  Resolve("Down", "a");
  EXPECT_THAT(Until(1000s), IsEmpty());
  EXPECT_FALSE(dispatcher_->next_due_ms());
}

TEST_F(Timeline, EachEpisodeThatWasToldGetsItsEnd) {
  Fire("Down", "a");
  EXPECT_THAT(Until(60s), ElementsAre("30s ops Down: +a"));
  Resolve("Down", "a");
  EXPECT_THAT(Until(100s), IsEmpty());
  Fire("Down", "a");
  EXPECT_THAT(Until(110s), IsEmpty());
  Resolve("Down", "a");  // Nobody heard of this one.
  EXPECT_THAT(Until(120s), IsEmpty());
  Fire("Down", "a");
  EXPECT_THAT(Until(400s), ElementsAre("330s ops Down: +a -a"));
}

TEST_F(Timeline, UnchangedGroupsAreRepeated) {
  Fire("Down", "a");
  EXPECT_THAT(Until(1h), ElementsAre("30s ops Down: +a"));
  EXPECT_THAT(Until(9h), ElementsAre("14430s ops Down: +a", "28830s ops Down: +a"));
}

// Alertmanager looks whether to repeat only when it flushes the group.
TEST_F(Timeline, RepeatsAtTheNextIntervalAfterwards) {
  Route("[route]\ngroup_wait = '0s'\ngroup_interval = '10m'\nrepeat_interval = '15m'\n");
  Fire("Down", "a");
  EXPECT_THAT(Until(50min),
              ElementsAre("0s ops Down: +a", "1200s ops Down: +a", "2400s ops Down: +a"));
}

TEST_F(Timeline, AChangePutsTheRepetitionOff) {
  Route("[route]\ngroup_wait = '0s'\ngroup_interval = '1m'\nrepeat_interval = '10m'\n");
  Fire("Down", "a");
  EXPECT_THAT(Until(9min), ElementsAre("0s ops Down: +a"));
  Fire("Down", "b");
  EXPECT_THAT(Until(19min), ElementsAre("600s ops Down: +a +b"));
  EXPECT_THAT(Until(20min), ElementsAre("1200s ops Down: +a +b"));
}

TEST_F(Timeline, ARestartNeitherRepeatsNorForgetsNorWaitsAgain) {
  Fire("Down", "a");
  Tick();
  Restart();
  EXPECT_THAT(Until(20s), IsEmpty());
  Restart();
  EXPECT_THAT(Until(60s), ElementsAre("30s ops Down: +a"));
  Restart();
  EXPECT_THAT(Until(100s), IsEmpty());
  Resolve("Down", "a");
  Tick();
  Restart();
  EXPECT_THAT(Until(400s), ElementsAre("330s ops Down: -a"));
}

TEST_F(Timeline, WhatFellDueWhileNobodyRanIsToldAtOnce) {
  Fire("Down", "a");
  EXPECT_THAT(Until(10s), IsEmpty());
  clock_.Advance(1h);
  Restart();
  EXPECT_THAT(Until(3700s), ElementsAre("3610s ops Down: +a"));
}

TEST_F(Timeline, AStepBackOfTheClockHoldsNothingUp) {
  Fire("Down", "a");
  Tick();
  clock_.StepWallClock(-1h);
  Tick();
  EXPECT_THAT(TakeTold(), ElementsAre("-3600s ops Down: +a"));
}

TEST_F(Timeline, ImmediateAlertsWaitForNothing) {
  Fire("Down", "a", /*immediate=*/true);
  EXPECT_THAT(Until(10s), ElementsAre("0s ops Down: +a"));
  Fire("Down", "b", /*immediate=*/true);
  EXPECT_THAT(Until(20s), ElementsAre("10s ops Down: +a +b"));
  Resolve("Down", "a");
  EXPECT_THAT(Until(30s), ElementsAre("20s ops Down: +b -a"));
}

// But they hurry nothing else later.
TEST_F(Timeline, AnImmediateAlertTakesItsGroupAlongOnce) {
  Route("[route]\ngroup_by = []\n");
  Fire("Slow", "a");
  EXPECT_THAT(Until(10s), IsEmpty());
  Fire("Down", "b", /*immediate=*/true);
  EXPECT_THAT(Until(20s), ElementsAre("10s ops: +a +b"));
  Fire("Slow", "c");
  EXPECT_THAT(Until(300s), IsEmpty());
  EXPECT_THAT(Until(320s), ElementsAre("310s ops: +a +b +c"));
}

TEST_F(Timeline, AlertsThatFiredForLongWaitNoMore) {
  Fire("Down", "a");
  clock_.Advance(31s);
  EXPECT_THAT(Until(40s), ElementsAre("31s ops Down: +a"));
}

TEST_F(Timeline, GroupsByOtherLabels) {
  Route("[route]\ngroup_by = ['instance']\ngroup_wait = '0s'\n");
  Fire("Down", "a");
  Fire("Disk", "a");
  Fire("Down", "b");
  EXPECT_THAT(Until(1s), ElementsAre("0s ops a: +a +a", "0s ops b: +b"));
}

TEST_F(Timeline, TellsEachRoutesReceiversInItsOwnTime) {
  Route(R"(
[route]
receiver = "mail"
[[route.routes]]
matchers = ['severity="critical"']
receivers = ["ops", "mail"]
group_wait = "5s"
continue = true
[[route.routes]]
matchers = ['alertname="Down"']
receiver = "boss"
)",
        {WebhookReceiver("ops"), WebhookReceiver("mail"), WebhookReceiver("boss")});
  Fire("Down", "a");
  Fire("Disk", "a");
  FireWith("Full", "a", "warning");
  EXPECT_THAT(Until(60s),
              ElementsAre("5s ops Disk: +a", "5s mail Disk: +a", "5s ops Down: +a",
                          "5s mail Down: +a", "30s boss Down: +a", "30s mail Full: +a"));
}

constexpr char kInhibits[] = R"(
[route]
group_wait = "0s"
group_interval = "1m"
[[inhibit_rule]]
source_matchers = ['alertname="Down"']
target_matchers = ['alertname=~"Down|Slow"']
equal = ["instance"]
)";

TEST_F(Timeline, InhibitsWithinTheSameTick) {
  Route(kInhibits);
  Fire("Slow", "a");
  Fire("Slow", "b");
  Fire("Down", "a");
  EXPECT_THAT(Until(10s), ElementsAre("0s ops Down: +a", "0s ops Slow: +b"));
  EXPECT_THAT(Until(150s), IsEmpty());
  Resolve("Down", "a");  // What it kept quiet is told at the next look.
  EXPECT_THAT(Until(200s), ElementsAre("180s ops Down: -a", "180s ops Slow: +a +b"));
}

TEST_F(Timeline, WhatWasToldBeforeItIsInhibitedGetsItsEnd) {
  Route(kInhibits);
  Fire("Slow", "a");
  EXPECT_THAT(Until(10s), ElementsAre("0s ops Slow: +a"));
  Fire("Down", "a");
  EXPECT_THAT(Until(20s), ElementsAre("10s ops Down: +a"));
  Resolve("Slow", "a");
  EXPECT_THAT(Until(100s), ElementsAre("60s ops Slow: -a"));
}

TEST_F(Timeline, SilencedAlertsAreToldAtTheNextLookAfterwards) {
  Fire("Down", "a");
  Silence("a", 200s);
  EXPECT_THAT(Until(329s), IsEmpty());
  EXPECT_THAT(Until(340s), ElementsAre("330s ops Down: +a"));
}

TEST_F(Timeline, SilencedAlertsAreLeftOutOfRepetitions) {
  Route("[route]\ngroup_wait = '0s'\ngroup_interval = '1m'\nrepeat_interval = '10m'\n");
  Fire("Down", "a");
  Fire("Down", "b");
  EXPECT_THAT(Until(1min), ElementsAre("0s ops Down: +a +b"));
  Silence("a", 1h);
  EXPECT_THAT(Until(11min), ElementsAre("600s ops Down: +b"));
  Resolve("Down", "a");
  EXPECT_THAT(Until(13min), ElementsAre("720s ops Down: +b -a"));
}

// kStartMs is Wednesday, 2026-11-18, 12:06:40 in Berlin.
constexpr char kMuted[] = R"(
[route]
[[route.routes]]
matchers = ['alertname="Down"']
group_wait = "0s"
group_interval = "10m"
mute_time_intervals = ["lunch"]
[[route.routes]]
matchers = ['alertname="Slow"']
group_wait = "0s"
group_interval = "10m"
active_time_intervals = ["afternoon"]
[[time_interval]]
name = "lunch"
times = [{ start_time = "12:00", end_time = "13:00" }]
weekdays = ["monday:friday"]
location = "Europe/Berlin"
[[time_interval]]
name = "afternoon"
times = [{ start_time = "12:00", end_time = "18:00" }]
)";

TEST_F(Timeline, MutedRoutesTellNothingUntilTheirTimeIsOver) {
  Route(kMuted);
  Fire("Down", "a", /*immediate=*/true);
  EXPECT_THAT(Until(50min), IsEmpty());
  EXPECT_THAT(Until(61min), ElementsAre("3600s ops Down: +a"));
}

TEST_F(Timeline, RoutesAreActiveOnlyInTheirTime) {
  Route(kMuted);
  Fire("Slow", "a");  // At 11:06:40 in UTC.
  EXPECT_THAT(Until(55min), IsEmpty());
  EXPECT_THAT(Until(61min), ElementsAre("3600s ops Slow: +a"));
}

TEST_F(Timeline, AnEndDuringAMutedTimeIsToldAfterwards) {
  Route(kMuted);
  clock_.Advance(23h + 40min);  // 11:46:40 in Berlin.
  Fire("Down", "a", /*immediate=*/true);
  EXPECT_THAT(Until(24h), ElementsAre("85200s ops Down: +a"));
  Resolve("Down", "a");  // At 12:06:40.
  EXPECT_THAT(Until(24h + 52min), IsEmpty());
  EXPECT_THAT(Until(25h + 1min), ElementsAre("90000s ops Down: -a"));
}

TEST_F(Timeline, WhatWasToldInAGroupThatIsNoMoreEndsThere) {
  Fire("Down", "a");
  EXPECT_THAT(Until(60s), ElementsAre("30s ops Down: +a"));
  Route("[route]\ngroup_by = ['instance']\ngroup_wait = '0s'\n");
  EXPECT_THAT(Until(100s), ElementsAre("60s ops a: +a"));
  Resolve("Down", "a");
  EXPECT_THAT(Until(600s), ElementsAre("330s ops Down: -a", "360s ops a: -a"));
  EXPECT_FALSE(dispatcher_->next_due_ms());
}

TEST_F(Timeline, WhoIsNoLongerRoutedToHearsTheEnd) {
  const std::vector<ReceiverConfig> both{WebhookReceiver("ops"), WebhookReceiver("boss")};
  Route("[route]\nreceiver = 'ops'\n", both);
  Fire("Down", "a");
  EXPECT_THAT(Until(60s), ElementsAre("30s ops Down: +a"));
  Route("[route]\nreceiver = 'boss'\n", both);
  EXPECT_THAT(Until(400s), ElementsAre("330s boss Down: +a"));
  Resolve("Down", "a");
  EXPECT_THAT(Until(700s), ElementsAre("630s boss Down: -a", "630s ops Down: -a"));
}

// As when the labels that it is told with change while it fires.
TEST_F(Timeline, AnAlertThatVanishesUnseenIsToldToHaveEnded) {
  Fire("Down", "a");
  EXPECT_THAT(Until(60s), ElementsAre("30s ops Down: +a"));
  firing_.clear();
  Restart();
  EXPECT_THAT(Until(400s), ElementsAre("330s ops Down: -a"));
}

TEST_F(Timeline, DrillsAreToldAtOnceWhateverTheRoutesSay) {
  ReceiverConfig drill = WebhookReceiver("drill");
  drill.drill = true;
  Route("[route]\nreceiver = 'ops'\n", {WebhookReceiver("ops"), drill});
  Fire("Down", "a");
  firing_["Down/a"].labels.Set("drill", "true");
  EXPECT_THAT(Until(10s), ElementsAre("0s drill Down: +a"));
  Resolve("Down", "a");
  EXPECT_THAT(Until(60s), ElementsAre("11s drill Down: -a"));
}

}  // namespace
}  // namespace atalaya::alertd
