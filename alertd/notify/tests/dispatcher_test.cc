#include "alertd/notify/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/notify/outbox_store.h"
#include "alertd/notify/tests/notify_bench.h"

namespace atalaya::alertd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() : database_(OpenTestState(folder_)) {
    Receivers({WebhookReceiver("ops")});
    options_.counters = &counters_;
    options_.random = [this] { return ++random_; };
  }

  void Receivers(std::vector<ReceiverConfig> receivers, bool drill_notify = false) {
    options_.routing = MakeRouting(std::move(receivers), "", drill_notify);
  }

  // One call within a transaction of its own, as the rules' thread makes it.
  std::size_t Process(const std::vector<Alert>& changed, std::int64_t now_ms = kStartMs) {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database_);
    EXPECT_TRUE(transaction);
    Dispatcher dispatcher(options_);
    const Result<std::size_t> written =
        dispatcher.Process(database_, alerts_.Change(changed), now_ms);
    EXPECT_TRUE(written) << written.error().message;
    EXPECT_TRUE(transaction->Commit());
    return written.value_or(0);
  }

  std::vector<OutboxRow> Rows(std::optional<OutboxState> state = {}) {
    const Result<std::vector<OutboxRow>> rows = ListOutbox(database_, {.state = state});
    EXPECT_TRUE(rows) << rows.error().message;
    return *rows;
  }

  Notice Waiting(const std::string& receiver = "ops", const std::string& target = "") {
    const auto row = FindWaiting(database_, receiver, target, "{}:{alertname=\"Down\"}");
    EXPECT_TRUE(row && *row);
    const Result<Notice> notice = DecodeNotice((*row)->content);
    EXPECT_TRUE(notice) << notice.error().message;
    return *notice;
  }

  void FinishAll() {
    for (const OutboxRow& row : Rows(OutboxState::kWaiting)) {
      EXPECT_TRUE(RecordAttempt(database_, {.id = row.id, .state = OutboxState::kSent}));
    }
  }

  TestFolder folder_;
  SqliteDatabase database_;
  NotifyCounters counters_;
  DispatcherOptions options_;
  std::uint64_t random_ = 0;
  FiringAlerts alerts_;
};

TEST_F(DispatcherTest, WritesOneRowPerReceiverAndGroup) {
  Receivers({WebhookReceiver("ops"), WebhookReceiver("boss")});
  EXPECT_EQ(Process({FiringAlert("Down", "a"), FiringAlert("Down", "b"), FiringAlert("Disk", "a")}),
            4u);
  EXPECT_EQ(Waiting().alerts.size(), 2u);
  const OutboxRow row = Rows().back();
  EXPECT_EQ(row.receiver, "ops");
  EXPECT_EQ(row.kind, "webhook");
  EXPECT_EQ(row.status, "firing");
  EXPECT_EQ(row.created_ms, kStartMs);
  EXPECT_THAT(row.notice_id, StartsWith("msg_"));
}

TEST_F(DispatcherTest, TellsEachRecipientUnderOneNoticeId) {
  Receivers({EmailReceiver("ops", {"a@example.org", "b@example.org"})});
  EXPECT_EQ(Process({FiringAlert("Down", "a")}), 2u);
  const std::vector<OutboxRow> rows = Rows();
  EXPECT_EQ(rows[0].target, "b@example.org");
  EXPECT_EQ(rows[1].target, "a@example.org");
  EXPECT_EQ(rows[0].notice_id, rows[1].notice_id);
}

TEST_F(DispatcherTest, CarriesAllFiringAlertsOfTheGroup) {
  Process({FiringAlert("Down", "a")});
  FinishAll();
  Process({FiringAlert("Down", "b", kStartMs + 5'000)}, kStartMs + 5'000);
  const Notice notice = Waiting();
  ASSERT_EQ(notice.alerts.size(), 2u);
  EXPECT_EQ(notice.alerts[0].labels.Get("instance"), "a");
  EXPECT_EQ(notice.alerts[1].labels.Get("instance"), "b");
}

TEST_F(DispatcherTest, TellsAKnownFiringAlertOnce) {
  EXPECT_EQ(Process({FiringAlert("Down", "a")}), 1u);
  EXPECT_EQ(Process({FiringAlert("Down", "a")}), 0u);
}

TEST_F(DispatcherTest, PassesOverPendingAndUnknownResolvedAlerts) {
  Alert pending = FiringAlert("Down", "a");
  pending.state = AlertState::kPending;
  EXPECT_EQ(Process({pending}), 0u);
  EXPECT_EQ(Process({Resolved(FiringAlert("Down", "a"), kStartMs + 1)}), 0u);
}

TEST_F(DispatcherTest, ResolvesWhatWasToldAndNamesTheSameThread) {
  Process({FiringAlert("Down", "a")});
  const Notice firing = Waiting();
  FinishAll();
  EXPECT_EQ(Process({Resolved(FiringAlert("Down", "a"), kStartMs + 9)}, kStartMs + 9), 1u);
  const Notice resolved = Waiting();
  EXPECT_EQ(NoticeStatus(resolved), "resolved");
  EXPECT_EQ(resolved.alerts[0].starts_ms, kStartMs);
  EXPECT_EQ(resolved.alerts[0].ends_ms, kStartMs + 9);
  EXPECT_EQ(resolved.thread_id, firing.id);
  EXPECT_NE(resolved.id, firing.id);
}

TEST_F(DispatcherTest, BeginsANewThreadAfterTheEnd) {
  Process({FiringAlert("Down", "a")});
  Process({Resolved(FiringAlert("Down", "a"), kStartMs + 9)});
  FinishAll();
  Process({FiringAlert("Down", "a", kStartMs + 20)});
  EXPECT_EQ(Waiting().thread_id, Waiting().id);
}

TEST_F(DispatcherTest, MergesAWaitingFiringNoticeIntoItsResolvedOne) {
  Process({FiringAlert("Down", "a")});
  const Notice firing = Waiting();
  Process({Resolved(FiringAlert("Down", "a"), kStartMs + 9)}, kStartMs + 9);
  const Notice merged = Waiting();
  EXPECT_NE(merged.id, firing.id);
  ASSERT_EQ(merged.alerts.size(), 1u);
  EXPECT_FALSE(merged.alerts[0].firing);
  EXPECT_EQ(merged.alerts[0].starts_ms, kStartMs);
  EXPECT_EQ(merged.alerts[0].ends_ms, kStartMs + 9);
  ASSERT_EQ(Rows(OutboxState::kMerged).size(), 1u);
  EXPECT_EQ(Rows(OutboxState::kMerged)[0].finished_ms, kStartMs + 9);
}

TEST_F(DispatcherTest, KeepsEachEpisodeOfAFlappingAlertWhileItWaits) {
  Process({FiringAlert("Down", "a", kStartMs)});
  Process({Resolved(FiringAlert("Down", "a", kStartMs), kStartMs + 1)});
  Process({FiringAlert("Down", "a", kStartMs + 2)});
  const Notice merged = Waiting();
  ASSERT_EQ(merged.alerts.size(), 2u);
  EXPECT_TRUE(merged.alerts[0].firing);
  EXPECT_EQ(merged.alerts[0].starts_ms, kStartMs + 2);
  EXPECT_FALSE(merged.alerts[1].firing);
  EXPECT_EQ(merged.alerts[1].ends_ms, kStartMs + 1);
}

TEST_F(DispatcherTest, AMergedNoticeKeepsItsPlaceInTheRetrySchedule) {
  Process({FiringAlert("Down", "a")});
  const std::int64_t id = Rows()[0].id;
  ASSERT_TRUE(RecordAttempt(database_, {.id = id, .next_attempt_ms = kStartMs + 4'000}));
  Process({Resolved(FiringAlert("Down", "a"), kStartMs + 9)}, kStartMs + 9);
  EXPECT_EQ(Rows(OutboxState::kWaiting)[0].attempts, 1);
  EXPECT_EQ(Rows(OutboxState::kWaiting)[0].next_attempt_ms, kStartMs + 4'000);
}

TEST_F(DispatcherTest, ARolledBackTransactionLeavesNoTrace) {
  {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database_);
    ASSERT_TRUE(transaction);
    Dispatcher dispatcher(options_);
    EXPECT_EQ(dispatcher.Process(database_, alerts_.Change({FiringAlert("Down", "a")}), kStartMs)
                  .value_or(0),
              1u);
  }
  EXPECT_THAT(Rows(), IsEmpty());
  EXPECT_EQ(Process({FiringAlert("Down", "a")}), 1u);
}

TEST_F(DispatcherTest, DrillAlertsGoToDrillReceiversOnly) {
  ReceiverConfig for_drills = WebhookReceiver("drill");
  for_drills.drill = true;
  Receivers({WebhookReceiver("ops"), for_drills});
  Alert drill = FiringAlert("Down", "a");
  drill.labels.Set("drill", "true");
  Process({drill});
  ASSERT_EQ(Rows().size(), 1u);
  EXPECT_EQ(Rows()[0].receiver, "drill");

  Process({FiringAlert("Disk", "a")});
  ASSERT_EQ(Rows().size(), 2u);
  EXPECT_EQ(Rows()[0].receiver, "ops");
}

TEST_F(DispatcherTest, DrillNotifyLetsTheOthersHearAndHearTheEnd) {
  Receivers({WebhookReceiver("ops")}, /*drill_notify=*/true);
  Alert drill = FiringAlert("Down", "a");
  drill.labels.Set("drill", "true");
  EXPECT_EQ(Process({drill}), 1u);
  Receivers({WebhookReceiver("ops")});
  EXPECT_EQ(Process({Resolved(drill, kStartMs + 5)}), 1u);
}

TEST_F(DispatcherTest, SendResolvedFalseTellsOfFiringAlertsOnly) {
  ReceiverConfig receiver = WebhookReceiver("ops");
  receiver.send_resolved = false;
  Receivers({receiver});
  Process({FiringAlert("Down", "a"), FiringAlert("Down", "b")});
  FinishAll();
  EXPECT_EQ(Process({Resolved(FiringAlert("Down", "a"), kStartMs + 5)}), 0u);
  EXPECT_EQ(Process({FiringAlert("Down", "c")}), 1u);
  EXPECT_EQ(Waiting().alerts.size(), 2u);
  FinishAll();
  EXPECT_EQ(Process({Resolved(FiringAlert("Down", "b"), kStartMs + 6)}), 0u);
}

TEST_F(DispatcherTest, DropsTheOldestBeyondTheLimitAndCountsThem) {
  options_.max_waiting_per_receiver = 2;
  Process({FiringAlert("A", "a")});
  Process({FiringAlert("B", "a")});
  Process({FiringAlert("C", "a")});
  ASSERT_EQ(Rows(OutboxState::kDropped).size(), 1u);
  EXPECT_EQ(Rows(OutboxState::kDropped)[0].group_key, "{}:{alertname=\"A\"}");
  EXPECT_EQ(Rows(OutboxState::kDropped)[0].last_error, "dropped: more than 2 notices waited");
  EXPECT_EQ(counters_.Snapshot()[0].dropped, 1u);
}

TEST_F(DispatcherTest, CutsAHostileLabel) {
  Alert alert = FiringAlert("Down", std::string(1u << 20, 'x'));
  alert.labels.Set("bytes", "a\xff");
  Process({alert});
  const Notice notice = Waiting();
  EXPECT_EQ(notice.alerts[0].labels.Get("instance").size(), kMaxLabelBytes);
  EXPECT_EQ(notice.alerts[0].labels.Get("bytes"), "a\xef\xbf\xbd");
  EXPECT_EQ(notice.alerts[0].fingerprint, alert.Fingerprint());
}

TEST_F(DispatcherTest, HistoryIsListedNewestFirstInPages) {
  Process({FiringAlert("A", "a"), FiringAlert("B", "a"), FiringAlert("C", "a")});
  const auto first = ListOutbox(database_, {.limit = 2});
  ASSERT_TRUE(first && first->size() == 2);
  const auto second = ListOutbox(database_, {.before_id = first->back().id, .limit = 2});
  ASSERT_TRUE(second && second->size() == 1);
  EXPECT_EQ(second->front().group_key, "{}:{alertname=\"A\"}");
  const auto named = ListOutbox(database_, {.text = first->front().summary.substr(0, 4)});
  ASSERT_TRUE(named);
  EXPECT_FALSE(named->empty());
  EXPECT_TRUE(ListOutbox(database_, {.text = "%_ nowhere"})->empty());
  const auto none = ListOutbox(database_, {.state = OutboxState::kSent, .receiver = "ops"});
  ASSERT_TRUE(none);
  EXPECT_THAT(*none, IsEmpty());
}

TEST_F(DispatcherTest, OrphansAreDroppedAndForgotten) {
  Process({FiringAlert("Down", "a")});
  const auto dropped = DropOrphans(database_, {"boss"}, kStartMs);
  ASSERT_TRUE(dropped);
  EXPECT_THAT(*dropped, ElementsAre(testing::Pair("ops", 1u)));
  EXPECT_EQ(Process({FiringAlert("Down", "a")}), 1u);
}

TEST_F(DispatcherTest, PruningLeavesWhatWaits) {
  Process({FiringAlert("A", "a"), FiringAlert("B", "a")});
  ASSERT_TRUE(RecordAttempt(database_,
                            {.id = Rows()[0].id, .state = OutboxState::kSent, .now_ms = kStartMs}));
  EXPECT_EQ(PruneHistory(database_, {.before_ms = kStartMs}).value_or(-1), 0);
  EXPECT_EQ(PruneHistory(database_, {.before_ms = kStartMs + 1}).value_or(-1), 1);
  ASSERT_EQ(Rows().size(), 1u);
  EXPECT_EQ(Rows()[0].state, OutboxState::kWaiting);
}

TEST_F(DispatcherTest, PruningKeepsTheNewestRowsOnly) {
  Process({FiringAlert("A", "a"), FiringAlert("B", "a"), FiringAlert("C", "a")});
  FinishAll();
  EXPECT_EQ(PruneHistory(database_, {.keep_rows = 2}).value_or(-1), 1);
  EXPECT_EQ(Rows().back().group_key, "{}:{alertname=\"B\"}");
}

TEST_F(DispatcherTest, AStepBackOfTheWallClockHoldsUpNothing) {
  Process({FiringAlert("A", "a")});
  const std::int64_t horizon_ms = 3'600'000;
  const auto due = NextDue(database_, "ops", kStartMs - 2 * horizon_ms, horizon_ms);
  ASSERT_TRUE(due);
  EXPECT_TRUE(due->has_value());
}

// Whoever heard that it fires hears that it ends.
TEST_F(DispatcherTest, PassesOverFiringAlertsThatAreSilenced) {
  const FakeClock clock(kStartMs);
  const auto silences = *SilenceBook::Open(OpenTestState(folder_), clock);
  options_.silences = silences.get();
  Process({FiringAlert("Down", "told")});
  Silence silence;
  silence.matchers = {{telemetry::Matcher::Kind::kEqual, "alertname", "Down"}};
  silence.ends_ms = kStartMs + 1000;
  const std::string id = *silences->Set(silence);

  EXPECT_EQ(Process({FiringAlert("Down", "unheard")}), 0u);
  EXPECT_EQ(Process({Resolved(FiringAlert("Down", "unheard"), kStartMs + 1)}), 0u);
  EXPECT_EQ(Process({Resolved(FiringAlert("Down", "told"), kStartMs + 1)}), 1u);

  EXPECT_EQ(Process({FiringAlert("Down", "later")}), 0u);
  ASSERT_TRUE(silences->Expire(id));
  EXPECT_EQ(Process({FiringAlert("Down", "later")}), 1u);
}

// Version 4 of state.db told every group by its alertname, at once, and kept nothing of groups.
TEST_F(DispatcherTest, TakesOverWhatAnOlderVersionTold) {
  const TestFolder folder;
  {
    const std::array<std::string_view, 2> migrations{kNotifyMigration1, kSilencesMigration1};
    Result<SqliteDatabase> older =
        SqliteDatabase::Open((folder.path() / "state.db").string(), SqliteSync::kFull, migrations);
    ASSERT_TRUE(older);
    Result<SqliteStatement> insert = older->Prepare(
        "INSERT INTO notified (receiver, fingerprint, group_key, fired_at_ms, alert) VALUES "
        "('ops', ?1, '{}:{alertname=\"Down\"}', ?2, ?3)");
    ASSERT_TRUE(insert);
    const Alert alert = FiringAlert("Down", "a");
    const std::string encoded = EncodeNoticeAlert(MakeNoticeAlert(alert));
    ASSERT_TRUE(insert->Bind(1, static_cast<std::int64_t>(alert.Fingerprint()))
                    .Bind(2, kStartMs)
                    .Bind(3, std::string_view(encoded))
                    .Run());
    ASSERT_TRUE(older->Execute(
        "INSERT INTO notified_group VALUES ('ops', '{}:{alertname=\"Down\"}', 'msg_first')"));
  }
  database_ = OpenTestState(folder);
  EXPECT_EQ(Process({FiringAlert("Down", "a")}), 0u);
  EXPECT_EQ(Process({Resolved(FiringAlert("Down", "a"), kStartMs + 9)}, kStartMs + 9), 1u);
  EXPECT_EQ(Waiting().thread_id, "msg_first");
  EXPECT_EQ(Waiting().group_labels.Get("alertname"), "Down");
}

}  // namespace
}  // namespace atalaya::alertd
