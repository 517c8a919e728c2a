#include "telemetry/text_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "telemetry/text_writer.h"
#include "telemetry/utf8.h"

namespace atalaya::telemetry {
namespace {

using testing::HasSubstr;

TextReaderOptions Options(TextFormat format = TextFormat::kPrometheus) {
  TextReaderOptions options;
  options.format = format;
  options.time_ms = 1000;
  return options;
}

std::string ErrorOf(std::string_view page, TextFormat format = TextFormat::kPrometheus) {
  const Result<TextPage> read = ReadTextPage(page, Options(format));
  return read ? "no error" : read.error().message;
}

TEST(TextReader, ReadsSamplesTypesAndHelp) {
  const Result<TextPage> page = ReadTextPage(
      "# HELP http_requests_total Requests,\\nby code \\\\ method.\n"
      "# TYPE http_requests_total counter\n"
      "# just a comment\n"
      "\n"
      "http_requests_total{code=\"200\",method=\"get\",} 1027 1395066363000\n"
      "http_requests_total { code = \"4\\\"0\\\\0\\n\" , x=\"\\y\" }\t3\r\n"
      "up 1",
      Options());
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->families.size(), 1u);
  EXPECT_EQ(page->families[0].name, "http_requests_total");
  EXPECT_EQ(page->families[0].type, MetricType::kCounter);
  EXPECT_EQ(page->families[0].help, "Requests,\nby code \\ method.");
  ASSERT_EQ(page->samples.size(), 3u);
  EXPECT_EQ(page->samples[0].labels.ToString(),
            "http_requests_total{code=\"200\", method=\"get\"}");
  EXPECT_EQ(page->samples[0].sample, (Sample{1395066363000, 1027}));
  EXPECT_EQ(page->samples[1].labels.Get("code"), "4\"0\\0\n");
  EXPECT_EQ(page->samples[1].labels.Get("x"), "\\y");
  EXPECT_EQ(page->samples[1].sample, (Sample{1000, 3}));
  EXPECT_EQ(page->samples[2].labels.ToString(), "up");
}

TEST(TextReader, ReadsEveryNumberAsGoWritesIt) {
  const Result<TextPage> page = ReadTextPage(
      "a 1e+06\na NaN\na +Inf\na -Inf\na +5\na .5\na 1.8446744073709552e+19\n", Options());
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->samples[0].sample.value, 1e6);
  EXPECT_TRUE(std::isnan(page->samples[1].sample.value));
  EXPECT_FALSE(IsStaleMarker(page->samples[1].sample.value));
  EXPECT_EQ(page->samples[2].sample.value, HUGE_VAL);
  EXPECT_EQ(page->samples[3].sample.value, -HUGE_VAL);
  EXPECT_EQ(page->samples[4].sample.value, 5);
  EXPECT_EQ(page->samples[5].sample.value, 0.5);
  EXPECT_EQ(page->samples[6].sample.value, 18446744073709551616.0);
}

TEST(TextReader, NamesTheLineThatIsWrong) {
  EXPECT_EQ(ErrorOf("a 1\nb 1.2.3\n"), "line 2: \"1.2.3\" is not a number");
  EXPECT_EQ(ErrorOf("\n\n9a 1\n"), "line 3: \"9a 1\" is not a metric name");
  EXPECT_THAT(ErrorOf("a{b=\"c\n"), HasSubstr("line 1: the value of the label b"));
  EXPECT_THAT(ErrorOf("a{b=c} 1"), HasSubstr("is not in quotes"));
  EXPECT_THAT(ErrorOf("a{b:c=\"1\"} 1"), HasSubstr("expected '=' after the label b"));
  EXPECT_THAT(ErrorOf("a{b=\"1\" c=\"2\"} 1"), HasSubstr("expected ',' or '}'"));
  EXPECT_THAT(ErrorOf("a{b=\"1\",b=\"2\"} 1"), HasSubstr("the label b stands twice"));
  EXPECT_THAT(ErrorOf("a{__name__=\"b\"} 1"), HasSubstr("the label __name__ stands twice"));
  EXPECT_THAT(ErrorOf("a{b=\"\xff\"} 1"), HasSubstr("not UTF-8"));
  EXPECT_THAT(ErrorOf("a"), HasSubstr("\"\" is not a number"));
  EXPECT_THAT(ErrorOf("a nan(1)"), HasSubstr("is not a number"));
  EXPECT_THAT(ErrorOf("a +-1"), HasSubstr("is not a number"));
  EXPECT_THAT(ErrorOf("a 1 2 3"), HasSubstr("unexpected \"3\""));
  EXPECT_THAT(ErrorOf("a 1 1.5"), HasSubstr("\"1.5\" is not a timestamp"));
  EXPECT_THAT(ErrorOf("# TYPE a thing"), HasSubstr("\"thing\" is not a metric type"));
  EXPECT_THAT(ErrorOf("# HELP 1 x"), HasSubstr("is not a metric name"));
}

TEST(TextReader, KeepsItsLimits) {
  TextReaderOptions options = Options();
  options.limits = {.labels = 1, .line_bytes = 20};
  options.sample_limit = 2;
  for (const char* page :
       {"a 1\na 2\na 3\n", "a{b=\"1\",c=\"2\"} 1", "a 1                         "}) {
    const Result<TextPage> refused = ReadTextPage(page, options);
    ASSERT_FALSE(refused) << page;
    EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  }
  EXPECT_TRUE(ReadTextPage("a{b=\"1\"} 1\na 2\n", options));
}

// The series of a page as a scanner names them, each with the guess that is its place's.
std::vector<std::string> Scan(std::string_view page, const std::vector<std::string>& expected) {
  TextScanner scanner(page, TextFormat::kPrometheus);
  std::vector<std::string> found;
  ScannedSample sample;
  while (scanner.Next(found.size() < expected.size() ? expected[found.size()] : "", sample))
    found.push_back(fmt::format("{}={}", sample.series, sample.value));
  if (!scanner.status()) found.push_back(scanner.status().error().message);
  return found;
}

TEST(TextScanner, GivesTheSameSeriesWhateverWasExpected) {
  constexpr char kPage[] = "a 1\nab 2\na {x=\"}\\\"}\"} 3\na{x=\"1\"}4\n";
  const std::vector<std::string> all = {"a=1", "ab=2", "a {x=\"}\\\"}\"}=3", "a{x=\"1\"}=4"};
  EXPECT_EQ(Scan(kPage, {}), all);
  EXPECT_EQ(Scan(kPage, {"a", "ab", "a {x=\"}\\\"}\"}", "a{x=\"1\"}"}), all);
  EXPECT_EQ(Scan(kPage, {"a", "a", "a", "a"}), all);
  EXPECT_EQ(Scan(kPage, {"ab", "a", "a{x=\"1\"}", "a {x=\"}\\\"}\"}"}), all);
}

TEST(TextReader, ReadsOpenMetrics) {
  const Result<TextPage> page = ReadTextPage(
      "# TYPE requests counter\n"
      "# UNIT requests requests\n"
      "# HELP requests Say \\\"hello\\\".\n"
      "requests_total{a=\"b\"} 5 1.5 # {trace_id=\"x\"} 0.67 12\n"
      "# TYPE version info\n"
      "version_info{v=\"1\"} 1\n"
      "# EOF\n",
      Options(TextFormat::kOpenMetrics));
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->families[0].help, "Say \"hello\".");
  EXPECT_EQ(page->families[0].unit, "requests");
  EXPECT_EQ(page->families[1].type, MetricType::kInfo);
  EXPECT_EQ(page->samples[0].sample, (Sample{1500, 5}));
}

TEST(TextReader, HoldsOpenMetricsToItsRules) {
  const auto error = [](std::string_view page) { return ErrorOf(page, TextFormat::kOpenMetrics); };
  EXPECT_THAT(error("a 1\n"), HasSubstr("does not end in # EOF"));
  EXPECT_THAT(error(""), HasSubstr("does not end in # EOF"));
  EXPECT_THAT(error("# EOF\na 1\n"), HasSubstr("line 1: something follows # EOF"));
  EXPECT_THAT(error("\n# EOF\n"), HasSubstr("no blank lines"));
  EXPECT_THAT(error("# hello\n# EOF\n"), HasSubstr("no comments"));
  EXPECT_THAT(error("# TYPE a untyped\n# EOF\n"), HasSubstr("not a metric type"));
  EXPECT_THAT(error("a 1 NaN\n# EOF\n"), HasSubstr("not a timestamp"));
  EXPECT_THAT(error("a 1 # {b=\"c\"} x\n# EOF\n"), HasSubstr("exemplar"));
}

TEST(TextFormat, IsToldFromTheContentType) {
  for (const TextFormat format : {TextFormat::kPrometheus, TextFormat::kOpenMetrics}) {
    EXPECT_EQ(FormatOfContentType(ContentType(format)), format);
  }
  EXPECT_EQ(FormatOfContentType("text/html"), TextFormat::kPrometheus);
}

TEST(TextWriter, WritesWhatTheReaderReads) {
  for (const TextFormat format : {TextFormat::kPrometheus, TextFormat::kOpenMetrics}) {
    TextWriter writer(format);
    writer.Family("a_total", MetricType::kCounter, "Say \"a\",\nor \\.");
    writer.Sample(LabelText("x", "1\"\\\n").Add("y", "z").text(), 1.5);
    writer.Sample("", std::uint64_t{18446744073709551615u});
    writer.Family("nothing", MetricType::kGauge, "No samples.");
    writer.Family("b", MetricType::kUntyped, "B.");
    writer.Sample("", NAN);
    writer.Sample("", HUGE_VAL);
    writer.Sample("", -HUGE_VAL);
    writer.Sample("", -3);
    writer.EndPage();
    const Result<TextPage> page = ReadTextPage(writer.text(), Options(format));
    ASSERT_TRUE(page) << page.error().message << "\n" << writer.text();
    ASSERT_EQ(page->families.size(), 2u);
    EXPECT_EQ(page->families[0].help, "Say \"a\",\nor \\.");
    EXPECT_EQ(page->samples[0].labels.Get("x"), "1\"\\\n");
    EXPECT_EQ(page->samples[0].labels.Get("y"), "z");
    EXPECT_EQ(page->samples[0].sample.value, 1.5);
    EXPECT_EQ(page->samples[1].sample.value, 18446744073709551616.0);
    EXPECT_TRUE(std::isnan(page->samples[2].sample.value));
    EXPECT_EQ(page->samples[5].sample.value, -3);
  }
}

TEST(TextWriter, SpellsBothFormats) {
  const auto write = [](TextFormat format) {
    TextWriter writer(format);
    writer.Family("a_total", MetricType::kCounter, "A \"b\".");
    writer.Sample("", 1);
    writer.Family("odd", MetricType::kCounter, "Odd.");
    writer.Sample("c=\"d\"", 0.1);
    writer.EndPage();
    return writer.text();
  };
  EXPECT_EQ(write(TextFormat::kPrometheus),
            "# HELP a_total A \"b\".\n# TYPE a_total counter\na_total 1\n"
            "# HELP odd Odd.\n# TYPE odd counter\nodd{c=\"d\"} 0.1\n");
  EXPECT_EQ(write(TextFormat::kOpenMetrics),
            "# HELP a A \\\"b\\\".\n# TYPE a counter\na_total 1\n"
            "# HELP odd Odd.\n# TYPE odd unknown\nodd{c=\"d\"} 0.1\n# EOF\n");
}

TEST(LabelText, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(LabelText("m",
                      "/a\xff\xfe"
                      "b")
                .text(),
            "m=\"/a\xef\xbf\xbd\xef\xbf\xbd"
            "b\"");
}

TEST(Utf8, KnowsTheEdges) {
  for (const char* good :
       {"", "a", "\xc2\x80", "\xef\xbf\xbd", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(IsUtf8(good));
  for (const char* bad : {"\x80", "\xc0\x80", "\xc2", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf0\x90\x80", "\xff",
                          "\xe1\x80"
                          "a"})
    EXPECT_FALSE(IsUtf8(bad));
}

}  // namespace
}  // namespace atalaya::telemetry
