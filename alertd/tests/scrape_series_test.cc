#include "alertd/collect/scrape_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::alertd {
namespace {

using telemetry::FamilyMetadata;
using telemetry::Labels;
using telemetry::MetricType;
using telemetry::TextFormat;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kTime = 1'700'000'000'000;

// Reads pages of one target, each a second after the one before.
class Pages {
 public:
  explicit Pages(PageRules rules = {}, std::vector<Labels::Pair> target = {{"job", "j"}})
      : series_(Labels(std::move(target)), rules) {}

  // The samples as "a{job="j"} 1", with "@MS" from the scrape's time where it is another; then the
  // fault.
  std::vector<std::string> Read(std::string_view page,
                                TextFormat format = TextFormat::kPrometheus) {
    time_ms_ += 1'000;
    ScrapeSeries::Samples samples;
    figures = series_.ReadPage(page, format, time_ms_, samples);
    std::vector<std::string> text = Texts(samples);
    if (figures.fault) text.push_back(figures.fault->message);
    return text;
  }
  std::vector<std::string> EndAll() {
    ScrapeSeries::Samples samples;
    series_.EndAll(time_ms_, samples);
    return Texts(samples);
  }

  PageFigures figures;

 private:
  std::vector<std::string> Texts(const ScrapeSeries::Samples& samples) const {
    std::vector<std::string> texts;
    for (const auto& [series, sample] : samples) {
      std::string text = fmt::format("{} {}", series->labels.ToString(), sample.value);
      if (telemetry::IsStaleMarker(sample.value)) text = series->labels.ToString() + " stale";
      if (sample.time_ms != time_ms_) text += fmt::format(" @{}", sample.time_ms - time_ms_);
      texts.push_back(std::move(text));
    }
    return texts;
  }

  ScrapeSeries series_;
  std::int64_t time_ms_ = kTime;
};

TEST(ScrapeSeries, TellsOfFamiliesWhereAPageSaysSomethingNew) {
  Pages pages;
  const std::string page = "# HELP a Help.\n# TYPE a gauge\na 1\n# TYPE b counter\nb 2\n";
  pages.Read(page);
  ASSERT_TRUE(pages.figures.families);
  EXPECT_THAT(*pages.figures.families,
              ElementsAre(FamilyMetadata{"a", MetricType::kGauge, "Help.", ""},
                          FamilyMetadata{"b", MetricType::kCounter, "", ""}));
  pages.Read("# A remark.\n" + page + "c 3\n");
  EXPECT_FALSE(pages.figures.families);
  pages.Read("# TYPE a counter\na x\n");  // A page that is not taken says nothing.
  EXPECT_FALSE(pages.figures.families);
  pages.Read(page);
  EXPECT_FALSE(pages.figures.families);
  pages.Read("# TYPE a counter\na 1\n");
  ASSERT_TRUE(pages.figures.families);
  EXPECT_THAT(*pages.figures.families,
              ElementsAre(FamilyMetadata{"a", MetricType::kCounter, "", ""}));
  pages.Read("a 1\n");
  EXPECT_THAT(pages.figures.families, testing::Optional(IsEmpty()));
}

TEST(ScrapeSeries, KnowsASeriesAgainWhereverItStands) {
  Pages pages;
  EXPECT_THAT(pages.Read("a 1\nb{x=\"1\"} 2\nc 3\n"),
              ElementsAre("a{job=\"j\"} 1", "b{job=\"j\", x=\"1\"} 2", "c{job=\"j\"} 3"));
  EXPECT_EQ(pages.figures.added, 3u);
  EXPECT_THAT(
      pages.Read("c 4\nd 5\na 6\nb{x=\"1\"} 7\n"),
      ElementsAre("c{job=\"j\"} 4", "d{job=\"j\"} 5", "a{job=\"j\"} 6", "b{job=\"j\", x=\"1\"} 7"));
  EXPECT_EQ(pages.figures.added, 1u);
  EXPECT_EQ(pages.figures.scraped, 4u);
}

TEST(ScrapeSeries, MarksTheEndOfWhatAPageNoLongerHas) {
  Pages pages;
  pages.Read("a 1\nb 2\nc 3\n");
  EXPECT_THAT(pages.Read("a 1\nc 3\n"),
              ElementsAre("a{job=\"j\"} 1", "c{job=\"j\"} 3", "b{job=\"j\"} stale"));
  EXPECT_THAT(pages.Read("a 1\nc 3\n"), ElementsAre("a{job=\"j\"} 1", "c{job=\"j\"} 3"));
  EXPECT_THAT(pages.Read("b 2\n"),
              ElementsAre("b{job=\"j\"} 2", "a{job=\"j\"} stale", "c{job=\"j\"} stale"));
  EXPECT_EQ(pages.figures.added, 1u);
  EXPECT_THAT(pages.EndAll(), ElementsAre("b{job=\"j\"} stale"));
  EXPECT_THAT(pages.EndAll(), IsEmpty());
}

TEST(ScrapeSeries, TakesAPageWholeOrNotAtAll) {
  Pages pages;
  pages.Read("a 1\nb 2\n");
  EXPECT_THAT(
      pages.Read("a 1\nnew 1\nb x\n"),
      ElementsAre("a{job=\"j\"} stale", "b{job=\"j\"} stale", "line 3: \"x\" is not a number"));
  EXPECT_EQ(pages.figures.fault->kind, ScrapeFaultKind::kSyntax);
  EXPECT_THAT(pages.Read("a 1\nb{ 2\n"), ElementsAre(HasSubstr("line 2")));
  EXPECT_THAT(pages.Read("a 1\nb 2\n"), ElementsAre("a{job=\"j\"} 1", "b{job=\"j\"} 2"));
  EXPECT_EQ(pages.figures.added, 0u);  // They were known all the time.
}

TEST(ScrapeSeries, TreatsAnotherSpellingAsTheSameSeries) {
  Pages pages;
  pages.Read("a{x=\"1\"} 1\n");
  EXPECT_THAT(pages.Read("a{ x=\"1\", } 2\n"), ElementsAre("a{job=\"j\", x=\"1\"} 2"));
}

TEST(ScrapeSeries, HonoursTimestampsAndMarksNoEndOfSuchSeries) {
  Pages pages;
  EXPECT_THAT(pages.Read(fmt::format("a 1 {}\n", kTime)), ElementsAre("a{job=\"j\"} 1 @-1000"));
  EXPECT_THAT(pages.Read("b 1\n"), ElementsAre("b{job=\"j\"} 1"));
  EXPECT_THAT(pages.Read("b 1 5\n"), ElementsAre(HasSubstr("b{job=\"j\"} 1 @")));
  EXPECT_THAT(pages.Read(""), IsEmpty());

  Pages without({.honor_timestamps = false, .limits = {}});
  EXPECT_THAT(without.Read("a 1 5\n"), ElementsAre("a{job=\"j\"} 1"));
  EXPECT_THAT(without.Read(""), ElementsAre("a{job=\"j\"} stale"));
}

TEST(ScrapeSeries, RenamesLabelsThatClashWithTheTargets) {
  Pages pages({}, {{"job", "j"}, {"instance", "i"}, {"exported_job", "e"}});
  EXPECT_THAT(pages.Read("a{job=\"p\",exported_job=\"q\"} 1\n"),
              ElementsAre("a{exported_exported_exported_job=\"q\", exported_exported_job=\"p\", "
                          "exported_job=\"e\", instance=\"i\", job=\"j\"} 1"));
}

TEST(ScrapeSeries, LetsThePagesLabelsWinWhereAskedTo) {
  Pages pages({.honor_labels = true, .limits = {}}, {{"job", "j"}, {"instance", "i"}});
  EXPECT_THAT(pages.Read("a{job=\"p\"} 1\nb{instance=\"\"} 2\n"),
              ElementsAre("a{instance=\"i\", job=\"p\"} 1", "b{job=\"j\"} 2"));
}

TEST(ScrapeSeries, FailsAPageOverALimitAndSaysWhich) {
  PageRules rules;
  rules.limits = {.samples = 2, .labels = 3, .label_name_bytes = 8, .label_value_bytes = 4};
  Pages pages(rules);
  EXPECT_THAT(pages.Read("a 1\nb 2\n"), ElementsAre("a{job=\"j\"} 1", "b{job=\"j\"} 2"));
  EXPECT_THAT(pages.Read("a 1\nb 2\nc 3\n"), ElementsAre("a{job=\"j\"} stale", "b{job=\"j\"} stale",
                                                         "3 samples, more than sample_limit = 2"));
  EXPECT_EQ(pages.figures.scraped, 3u);
  EXPECT_THAT(pages.Read("a{x=\"1\",y=\"2\"} 1\n"),
              ElementsAre("a has 4 labels, more than label_limit = 3"));
  EXPECT_THAT(pages.Read("a{abcdefghi=\"1\"} 1\n"),
              ElementsAre(HasSubstr("label_name_length_limit")));
  EXPECT_THAT(pages.Read("a{x=\"12345\"} 1\n"), ElementsAre(HasSubstr("label_value_length_limit")));
  EXPECT_EQ(pages.figures.fault->kind, ScrapeFaultKind::kLabelLimit);
}

TEST(ScrapeSeries, TakesADoubledLineTwiceAndKnowsItOnce) {
  Pages pages;
  pages.Read("a 1\na 2\nb 3\n");
  EXPECT_THAT(pages.Read("a 1\na 2\nb 3\n"),
              ElementsAre("a{job=\"j\"} 1", "a{job=\"j\"} 2", "b{job=\"j\"} 3"));
  EXPECT_THAT(pages.EndAll(), ElementsAre("a{job=\"j\"} stale", "b{job=\"j\"} stale"));
}

}  // namespace
}  // namespace atalaya::alertd
