#include "stress/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "stress/tests/fake_broker.h"
#include "stress/verdict.h"

namespace atalaya::stress {
namespace {

using testing::HasSubstr;

constexpr RunLimits kShort{std::chrono::milliseconds(400), std::chrono::milliseconds(3000),
                           std::chrono::milliseconds(600), std::chrono::milliseconds(100)};

// Long enough for a busy machine: only what must never be reached.
constexpr RunLimits kPatient{std::chrono::seconds(20), std::chrono::seconds(20),
                             std::chrono::seconds(20), std::chrono::milliseconds(300)};

Scenario SmallLoad(const HostPort& target, int qos = 0) {
  Scenario scenario;
  scenario.target.address = target;
  Flow pairs;
  pairs.publishers = pairs.subscribers = pairs.topics = 4;
  pairs.rate_per_s = 500;
  pairs.qos = qos;
  scenario.flows = {pairs};
  scenario.phases = {Phase{"load", std::chrono::milliseconds(400), 1, 1, {}}};
  return scenario;
}

RunRecord RunOn(const Scenario& scenario, const RunLimits& limits = kPatient) {
  StopSignal stop = StopSignal::Install();
  ServerWatch server = *ServerWatch::Find({{"192.0.2.1", 1}, 0});
  Progress progress(scenario, false);
  RunTools tools;
  tools.server = &server;
  tools.progress = &progress;
  tools.stop = &stop;
  Result<RunRecord> record = RunScenario(scenario, limits, 2, tools);
  EXPECT_TRUE(record.has_value());
  return std::move(*record);
}

std::uint64_t Failed(const RunRecord& record, FailureClass failure) {
  return record.totals.failures[static_cast<std::size_t>(failure)];
}

TEST(Run, DeliversAndMeasuresEveryPlannedMessage) {
  for (const int qos : {0, 1}) {
    FakeBroker broker({});
    const RunRecord record = RunOn(SmallLoad(broker.address(), qos));
    const LedgerFigures& ledger = record.ledger;
    EXPECT_EQ(record.planned, 200u);
    EXPECT_EQ(ledger.sent, 200u);
    EXPECT_EQ(ledger.received, 200u);
    EXPECT_EQ(ledger.acknowledged, qos == 0 ? 0u : 200u);
    EXPECT_EQ(ledger.duplicated + ledger.reordered + ledger.corrupted, 0u);
    EXPECT_EQ(record.messages.response.count(), 200u);
    EXPECT_GE(record.messages.response.MeanNs(), record.messages.service.MeanNs());
    EXPECT_EQ(record.totals.connected, 8u);
    EXPECT_FALSE(Judge(record).target_failed);
  }
}

TEST(Run, CountsMessagesThatAreNotDelivered) {
  FakeBroker broker({.drop_every = 10});
  const RunRecord record = RunOn(SmallLoad(broker.address()));
  EXPECT_EQ(record.ledger.lost(), 20u);
  EXPECT_EQ(Judge(record).ExitCode(), kExitTargetFailed);
}

TEST(Run, CountsDoubledDamagedAndReorderedMessages) {
  FakeBroker doubling({.double_every = 10});
  EXPECT_EQ(RunOn(SmallLoad(doubling.address())).ledger.duplicated, 20u);
  FakeBroker damaging({.damage_every = 10});
  const RunRecord damaged = RunOn(SmallLoad(damaging.address()));
  EXPECT_EQ(damaged.ledger.corrupted, 20u);
  EXPECT_EQ(damaged.ledger.lost(), 20u);
  FakeBroker swapping({.swap_every = 7});
  EXPECT_GT(RunOn(SmallLoad(swapping.address())).ledger.reordered, 10u);
}

TEST(Run, CountsATargetThatRefuses) {
  FakeBroker broker({.connack_code = 5});
  const RunRecord record = RunOn(SmallLoad(broker.address()));
  EXPECT_EQ(Failed(record, FailureClass::kRefused), 8u);
  EXPECT_THAT(record.totals.failure_examples[0], HasSubstr("code 5"));
  EXPECT_EQ(record.ledger.sent, 0u);
  EXPECT_EQ(record.planned, 200u);
}

TEST(Run, CountsATargetWhereNobodyListens) {
  HostPort address;
  {
    FakeBroker gone({});
    address = gone.address();
  }
  const RunRecord record = RunOn(SmallLoad(address));
  EXPECT_EQ(Failed(record, FailureClass::kRefused), 8u);
  EXPECT_EQ(Judge(record).ExitCode(), kExitTargetFailed);
}

TEST(Run, CountsATargetThatSpeaksNonsense) {
  FakeBroker broker({.connack_nonsense = true});
  EXPECT_EQ(Failed(RunOn(SmallLoad(broker.address())), FailureClass::kNonsense), 8u);
}

TEST(Run, CountsATargetThatNeverAnswersAConnect) {
  FakeBroker broker({.mute_connect = true});
  EXPECT_EQ(Failed(RunOn(SmallLoad(broker.address()), kShort), FailureClass::kHang), 8u);
}

TEST(Run, CountsATargetThatHangsInTheEnd) {
  FakeBroker broker({.mute_ping = true});
  const RunRecord record = RunOn(SmallLoad(broker.address()), kShort);
  EXPECT_EQ(Failed(record, FailureClass::kHang), 8u);
  EXPECT_GT(record.ledger.sent, 0u);
}

TEST(Run, EndsEarlyWhereEveryConnectionIsReset) {
  FakeBroker broker({.reset_after = 50});
  Scenario scenario = SmallLoad(broker.address());
  scenario.phases[0].duration = std::chrono::seconds(60);
  const RunRecord record = RunOn(scenario);
  EXPECT_TRUE(record.target_lost);
  EXPECT_EQ(Failed(record, FailureClass::kReset), 8u);
  EXPECT_GE(record.ledger.sent, 50u);
  EXPECT_LT(record.load_ns, 30'000'000'000);
  EXPECT_EQ(Judge(record).validity, Validity::kInvalid);
}

TEST(Run, ComesBackAfterAResetWhereItIsToldTo) {
  FakeBroker broker({});
  Scenario scenario = SmallLoad(broker.address());
  scenario.phases[0].duration = std::chrono::milliseconds(1500);
  scenario.reconnect_after = std::chrono::milliseconds(50);
  Fault storm;
  storm.kind = FaultKind::kReconnect;
  storm.at = std::chrono::milliseconds(300);
  storm.lasts = std::chrono::milliseconds(0);
  scenario.faults = {storm};
  const RunRecord record = RunOn(scenario);
  EXPECT_EQ(record.totals.reconnected, 8u);
  EXPECT_EQ(record.ledger.sent, 750u);
  EXPECT_EQ(record.ledger.lost(), 0u);  // What is missing was under way at the reset.
  EXPECT_TRUE(record.faults[0].recovered_ns.has_value());
  EXPECT_FALSE(Judge(record).target_failed);
}

TEST(Run, KeepsSoManyUnderWayWhereArrivalsAreClosed) {
  for (const int qos : {0, 1}) {
    FakeBroker broker({});
    Scenario scenario = SmallLoad(broker.address(), qos);
    scenario.arrivals = Arrivals::kClosed;
    scenario.window = 3;
    const RunRecord record = RunOn(scenario);
    EXPECT_GT(record.ledger.received, 20u);
    EXPECT_EQ(record.ledger.received, record.ledger.sent);
    EXPECT_EQ(record.planned, record.ledger.sent);
    EXPECT_EQ(record.totals.send_lag.max_ns(), 0);
  }
}

TEST(Run, TellsPhasesApart) {
  FakeBroker broker({});
  Scenario scenario = SmallLoad(broker.address());
  scenario.phases = {Phase{"low", std::chrono::milliseconds(300), 0.5, 0.5, {}},
                     Phase{"none", std::chrono::milliseconds(100), 0, 0, {}},
                     Phase{"high", std::chrono::milliseconds(300), 2, 2, {}}};
  const RunRecord record = RunOn(scenario);
  EXPECT_EQ(record.totals.phases[0].sent, 75u);
  EXPECT_EQ(record.totals.phases[1].sent, 0u);
  EXPECT_EQ(record.totals.phases[2].sent, 300u);
  EXPECT_EQ(record.totals.phases[2].received, 300u);
  EXPECT_EQ(record.messages.response.count(), 375u);
}

TEST(Run, HoldsIdleConnectionsThatNobodyPublishesTo) {
  FakeBroker broker({});
  Scenario scenario = SmallLoad(broker.address());
  scenario.flows[0] = Flow{};
  scenario.flows[0].idle = 6;
  scenario.connect_rate_per_s = 100;
  const RunRecord record = RunOn(scenario);
  EXPECT_EQ(record.totals.connected, 6u);
  EXPECT_EQ(record.totals.connect.count(), 6u);
  EXPECT_GE(record.connect_ns, 50'000'000);  // The last one is due then.
  EXPECT_EQ(Judge(record).ExitCode(), 0);
}

TEST(Run, KeepsWhatWasMeasuredUntilAnInterruption) {
  FakeBroker broker({});
  Scenario scenario = SmallLoad(broker.address());
  scenario.phases[0].duration = std::chrono::seconds(60);
  StopSignal::Install();
  raise(SIGINT);  // Waits in the signalfd until the run looks.
  const RunRecord record = RunOn(scenario);
  EXPECT_TRUE(record.interrupted);
  EXPECT_FALSE(record.target_lost);
  EXPECT_EQ(record.ledger.sent, record.planned);
  EXPECT_LT(record.load_ns, 30'000'000'000);
}

}  // namespace
}  // namespace atalaya::stress
