#include "alertd/notify/posted_alerts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/notify/tests/notify_bench.h"

namespace atalaya::alertd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class PostedAlertsTest : public testing::Test {
 protected:
  PostedAlertsTest() { Open(); }
  void Open() { posted_ = *PostedAlerts::Open(OpenTestState(folder_), clock_); }

  // From now on, or from `starts_ms`.
  PostedAlert Posted(const std::string& name, std::int64_t lasts_ms, bool by_timeout = false) {
    PostedAlert alert;
    alert.labels = telemetry::Labels({{"alertname", name}});
    alert.starts_ms = clock_.NowMs();
    alert.ends_ms = clock_.NowMs() + lasts_ms;
    alert.by_timeout = by_timeout;
    return alert;
  }
  PostedAlert Over(const std::string& name, std::int64_t began_ms) {
    PostedAlert alert = Posted(name, 0);
    alert.starts_ms = began_ms;
    return alert;
  }
  AlertsNow Now() {
    AlertsNow alerts;
    posted_->AddTo(alerts, clock_.NowMs());
    return alerts;
  }
  void Pass(std::int64_t ms) { clock_.Advance(std::chrono::milliseconds(ms)); }

  TestFolder folder_;
  FakeClock clock_{kStartMs};
  std::unique_ptr<PostedAlerts> posted_;
};

TEST_F(PostedAlertsTest, FireUntilTheirEnd) {
  ASSERT_TRUE(posted_->Post({Posted("A", 1'000)}));
  ASSERT_THAT(Now().firing, SizeIs(1));
  EXPECT_EQ(Now().firing[0].fired_at_ms, kStartMs);
  EXPECT_TRUE(posted_->TakeChanged());
  EXPECT_FALSE(posted_->TakeChanged());
  EXPECT_EQ(posted_->NextEndMs(), kStartMs + 1'000);
  Pass(1'000);
  EXPECT_TRUE(posted_->TakeChanged());
  EXPECT_FALSE(posted_->NextEndMs());
  EXPECT_THAT(Now().firing, IsEmpty());
  ASSERT_THAT(Now().ended, SizeIs(1));
  EXPECT_EQ(Now().ended[0].resolved_at_ms, kStartMs + 1'000);
}

TEST_F(PostedAlertsTest, PostedAgainKeepTheirBeginning) {
  ASSERT_TRUE(posted_->Post({Posted("A", 1'000)}));
  Pass(500);
  ASSERT_TRUE(posted_->Post({Posted("A", 1'000)}));
  Pass(900);
  ASSERT_THAT(Now().firing, SizeIs(1));
  EXPECT_EQ(Now().firing[0].fired_at_ms, kStartMs);
}

TEST_F(PostedAlertsTest, AGivenEndThatHasPassedCounts) {
  ASSERT_TRUE(posted_->Post({Posted("A", 300'000, /*by_timeout=*/true)}));
  Pass(500);
  ASSERT_TRUE(posted_->Post({Over("A", kStartMs)}));
  EXPECT_THAT(Now().firing, IsEmpty());
  Pass(500);
  ASSERT_TRUE(posted_->Post({Posted("A", 1'000)}));  // Another episode.
  EXPECT_EQ(Now().firing.at(0).fired_at_ms, kStartMs + 1'000);
}

TEST_F(PostedAlertsTest, ATimeoutDoesNotCutAGivenEndShort) {
  ASSERT_TRUE(posted_->Post({Posted("A", 600'000)}));
  ASSERT_TRUE(posted_->Post({Posted("A", 300'000, /*by_timeout=*/true)}));
  EXPECT_EQ(posted_->NextEndMs(), kStartMs + 600'000);
}

TEST_F(PostedAlertsTest, OutliveARestart) {
  PostedAlert alert = Posted("A", 60'000);
  alert.annotations = {{"summary", "look"}};
  alert.generator_url = "http://prometheus/graph";
  ASSERT_TRUE(posted_->Post({alert}));
  Open();
  ASSERT_THAT(Now().firing, SizeIs(1));
  EXPECT_EQ(Now().firing[0].annotations.at("summary"), "look");
  EXPECT_EQ(Now().firing[0].generator_url, "http://prometheus/graph");
}

TEST_F(PostedAlertsTest, AreForgottenSomeTimeAfterTheirEnd) {
  ASSERT_TRUE(posted_->Post({Posted("A", 1'000)}));
  Pass(kEndedPostedKeptMs + 2'000);
  ASSERT_TRUE(posted_->Post({}));
  EXPECT_THAT(Now().ended, IsEmpty());
}

TEST_F(PostedAlertsTest, OneThatIsOverAndUnknownIsNoNews) {
  ASSERT_TRUE(posted_->Post({Over("A", kStartMs)}));
  EXPECT_THAT(Now().ended, IsEmpty());
}

TEST_F(PostedAlertsTest, TakesTheGoodOnesAndSaysWhatIsWrongOfTheOthers) {
  PostedAlert nameless = Posted("A", 1'000);
  nameless.labels = telemetry::Labels();
  PostedAlert bad_name = Posted("A", 1'000);
  bad_name.labels.Set("a-b", "c");
  PostedAlert large = Posted("A", 1'000);
  large.annotations["text"] = std::string(kMaxPostedBytes, 'x');
  const std::pair<PostedAlert, const char*> bad[] = {{nameless, "needs a label"},
                                                     {bad_name, "\"a-b\" is no name"},
                                                     {large, "16384 bytes"},
                                                     {Posted("A", -1), "endsAt"}};
  for (const auto& [alert, why] : bad) {
    const Status posted = posted_->Post({Posted("Good", 1'000), alert});
    ASSERT_FALSE(posted);
    EXPECT_THAT(posted.error().message, HasSubstr(why));
  }
  EXPECT_THAT(Now().firing, SizeIs(1));
  EXPECT_EQ(posted_->Figures().refused, 4u);
  EXPECT_EQ(posted_->Figures().accepted, 4u);
  EXPECT_EQ(posted_->Figures().firing, 1u);
}

TEST_F(PostedAlertsTest, AreLimitedInNumber) {
  std::vector<PostedAlert> alerts;
  for (std::size_t i = 0; i <= kMaxPostedAlerts; ++i)
    alerts.push_back(Posted(fmt::format("A{}", i), 1'000));
  const Status posted = posted_->Post(std::move(alerts));
  ASSERT_FALSE(posted);
  EXPECT_EQ(posted.error().code, ErrorCode::kLimit);
  EXPECT_THAT(Now().firing, SizeIs(kMaxPostedAlerts));
}

}  // namespace
}  // namespace atalaya::alertd
