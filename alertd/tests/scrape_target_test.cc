#include "alertd/collect/scrape_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/collect/scrape_schedule.h"

namespace atalaya::alertd {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

ScrapeConfig Config() {
  ScrapeConfig config;
  config.job = "node";
  config.labels = {{"room", "cellar"}};
  return config;
}

std::string ErrorOf(const std::string& address, const LabelMap& own) {
  const Result<ScrapeTarget> target = MakeScrapeTarget(Config(), address, own);
  return target ? "no error" : target.error().message;
}

TEST(ScrapeTarget, IsMadeOfConfigurationAndAddress) {
  ScrapeConfig config = Config();
  config.params = {{"match[]", "{job=\"x\"}"}, {"module", "icmp v4"}};
  const Result<ScrapeTarget> target = MakeScrapeTarget(config, "a:9100", {});
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->url, "http://a:9100/metrics?match%5B%5D=%7Bjob%3D%22x%22%7D&module=icmp+v4");
  EXPECT_EQ(target->labels.ToString(), "{instance=\"a:9100\", job=\"node\", room=\"cellar\"}");
  EXPECT_EQ(target->interval, 5s);
  EXPECT_EQ(target->discovered.at("__address__"), "a:9100");
  EXPECT_EQ(target->discovered.at("__scrape_interval__"), "5s");
  EXPECT_EQ(target->discovered.at("__param_module"), "icmp v4");
}

TEST(ScrapeTarget, MayHaveItsSchemeInFront) {
  EXPECT_EQ(MakeScrapeTarget(Config(), "https://a:1", {})->url, "https://a:1/metrics");
  EXPECT_EQ(MakeScrapeTarget(Config(), "https://a:1", {})->labels.Get("instance"), "a:1");
}

TEST(ScrapeTarget, LetsItsOwnLabelsWin) {
  const Result<ScrapeTarget> target = MakeScrapeTarget(Config(), "a:1",
                                                       {{"__scheme__", "https"},
                                                        {"__metrics_path__", "/probe"},
                                                        {"__param_target", "b"},
                                                        {"__scrape_interval__", "1m"},
                                                        {"__scrape_timeout__", "3s"},
                                                        {"__meta_filepath", "f"},
                                                        {"instance", "i"},
                                                        {"job", "j"},
                                                        {"room", "attic"}});
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->url, "https://a:1/probe?target=b");
  EXPECT_EQ(target->labels.ToString(), "{instance=\"i\", job=\"j\", room=\"attic\"}");
  EXPECT_EQ(target->interval, 60s);
  EXPECT_EQ(target->timeout, 3s);
}

TEST(ScrapeTarget, SaysWhatIsWrong) {
  EXPECT_THAT(ErrorOf("a", {}), HasSubstr("is not an address"));
  EXPECT_THAT(ErrorOf("a:1/metrics", {}), HasSubstr("is not an address"));
  EXPECT_THAT(ErrorOf("a:1", {{"a-b", "x"}}), HasSubstr("is no label name"));
  EXPECT_THAT(ErrorOf("a:1", {{"a", "\xff"}}), HasSubstr("not UTF-8"));
  EXPECT_THAT(ErrorOf("a:1", {{"__scheme__", "ftp"}}), HasSubstr("neither http nor https"));
  EXPECT_THAT(ErrorOf("a:1", {{"__metrics_path__", "x"}}), HasSubstr("must begin with"));
  EXPECT_THAT(ErrorOf("a:1", {{"__scrape_interval__", "x"}}), HasSubstr("not a duration"));
  EXPECT_THAT(ErrorOf("a:1", {{"__scrape_interval__", "1ms"}}), HasSubstr("out of range"));
  EXPECT_THAT(ErrorOf("a:1", {{"__scrape_timeout__", "1h"}}), HasSubstr("no longer than"));
}

TEST(ScrapeSchedule, KeepsAbsoluteTimes) {
  const ScrapeSchedule schedule{5'000, 1'200};
  EXPECT_EQ(schedule.UntilNextMs(10'000), 1'200);
  EXPECT_EQ(schedule.UntilNextMs(11'199), 1);
  EXPECT_EQ(schedule.UntilNextMs(11'200), 5'000);
  EXPECT_EQ(schedule.UntilNextMs(-5'000), 1'200);
}

TEST(ScrapeSchedule, CountsASlightlyLateScrapeAsOnTime) {
  const ScrapeSchedule schedule{5'000, 1'200};
  EXPECT_EQ(schedule.Aligned(11'200), 11'200);
  EXPECT_EQ(schedule.Aligned(11'205), 11'200);
  EXPECT_EQ(schedule.Aligned(11'206), 11'206);
  EXPECT_EQ(schedule.Aligned(11'196), 11'200);
  EXPECT_EQ(schedule.Aligned(11'194), 11'194);
  const ScrapeSchedule quick{100, 0};
  EXPECT_EQ(quick.Aligned(1'001), 1'000);
  EXPECT_EQ(quick.Aligned(1'002), 1'002);
}

// A thousand targets: no hundredth of the interval has more than three times its share.
TEST(ScrapeSchedule, SpreadsTargetsEvenly) {
  std::vector<int> share(100);
  for (int i = 0; i < 1'000; ++i) {
    const telemetry::Labels labels(
        {{"instance", fmt::format("10.0.0.{}:9100", i)}, {"job", "node"}});
    const std::int64_t offset_ms = ScrapeSchedule::Spread(5s, labels.Hash()).offset_ms;
    ASSERT_LT(offset_ms, 5'000);
    ++share[static_cast<std::size_t>(offset_ms / 50)];
  }
  EXPECT_LE(*std::max_element(share.begin(), share.end()), 30);
}

}  // namespace
}  // namespace atalaya::alertd
