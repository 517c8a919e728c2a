#include "exporter/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/gzip.h"
#include "exporter/options.h"

namespace atalaya::exporter {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

class PagesTest : public testing::Test {
 protected:
  static std::vector<NamedCollector> Collectors() {
    std::vector<NamedCollector> collectors;
    for (const CollectorInfo& info : AllCollectors()) {
      if (info.name == "loadavg" || info.name == "meminfo")
        collectors.push_back({std::string(info.name), std::move(*info.create({}))});
    }
    return collectors;
  }
  HttpResponse Get(std::string path, std::string query = "",
                   std::map<std::string, std::string> headers = {}) {
    HttpRequest request;
    request.method = "GET";
    request.path = std::move(path);
    request.query = std::move(query);
    request.headers = std::move(headers);
    return pages_.Answer(request);
  }

  Gatherer gatherer_{Collectors(), {}};
  SelfMetrics self_;
  Pages pages_{"/metrics", &gatherer_, &self_};
};

TEST_F(PagesTest, ChoosesTheFormatByAccept) {
  const auto type = [&](const std::string& accept) {
    return Get("/metrics", "", {{"accept", accept}}).content_type;
  };
  const std::string text(ContentType(telemetry::TextFormat::kPrometheus));
  const std::string open_metrics(ContentType(telemetry::TextFormat::kOpenMetrics));
  EXPECT_EQ(Get("/metrics").content_type, text);
  EXPECT_EQ(type("*/*"), text);
  EXPECT_EQ(type("application/openmetrics-text"), open_metrics);
  EXPECT_EQ(
      type("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
      open_metrics);
  EXPECT_EQ(type("application/openmetrics-text;q=0.2,text/plain"), text);
  EXPECT_EQ(type("application/openmetrics-text;q=0"), text);
  EXPECT_EQ(type("text/html, */*;q=0.8"), text);
}

TEST_F(PagesTest, CompressesOnRequest) {
  const HttpResponse response = Get("/metrics", "", {{"accept-encoding", "deflate, gzip;q=0.5"}});
  EXPECT_THAT(response.headers, Contains(Pair("Content-Encoding", "gzip")));
  EXPECT_THAT(GzipDecompress(response.body, 1u << 20).value_or(""), HasSubstr("node_load1 "));
  EXPECT_THAT(Get("/metrics", "", {{"accept-encoding", "gzip;q=0"}}).body,
              HasSubstr("node_load1 "));
}

TEST_F(PagesTest, CollectsWhatIsAskedFor) {
  const std::string some = Get("/metrics", "collect[]=loadavg").body;
  EXPECT_THAT(some, HasSubstr("node_load1 "));
  EXPECT_THAT(some, Not(HasSubstr("node_memory_")));
  const std::string others = Get("/metrics", "exclude%5B%5D=loadavg").body;
  EXPECT_THAT(others, Not(HasSubstr("node_load1 ")));
  EXPECT_THAT(others, HasSubstr("node_memory_MemTotal_bytes "));
  const HttpResponse unknown = Get("/metrics", "collect[]=loadavgs");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(unknown.body, HasSubstr("did you mean \"loadavg\"?"));
  EXPECT_EQ(Get("/metrics", "collect[]=loadavg&exclude[]=meminfo").status, 400);
  EXPECT_EQ(Get("/metrics", "exclude[]=loadavg&exclude[]=meminfo").status, 400);
}

TEST_F(PagesTest, HasALandingPageAndHealth) {
  EXPECT_THAT(Get("/").body, HasSubstr("href=\"/metrics\""));
  EXPECT_EQ(Get("/-/healthy").status, 200);
  EXPECT_EQ(Get("/-/ready").status, 200);
  EXPECT_EQ(Get("/other").status, 404);
  HttpRequest post;
  post.method = "POST";
  post.path = "/metrics";
  EXPECT_EQ(pages_.Answer(post).status, 405);
}

TEST_F(PagesTest, CountsItsScrapes) {
  Get("/metrics");
  EXPECT_THAT(Get("/metrics").body,
              HasSubstr("cloud_exporter_scrapes_total{outcome=\"success\"} 2\n"));
}

Result<Options> Parse(std::vector<const char*> args) {
  args.insert(args.begin(), "cloud_exporter");
  return ParseOptions(static_cast<int>(args.size()), args.data());
}

TEST(ExporterOptions, ChooseCollectors) {
  EXPECT_EQ(Parse({})->collectors.size(), AllCollectors().size());
  EXPECT_THAT(Parse({"--no-collector.hwmon"})->collectors, Not(Contains("hwmon")));
  EXPECT_EQ(Parse({"--collector.disable-defaults", "--collector.cpu"})->collectors,
            std::vector<std::string>{"cpu"});
  EXPECT_EQ(Parse({"--collector.loadavgs"}).error().message,
            "unknown flag --collector.loadavgs; did you mean \"--collector.loadavg\"?");
}

TEST(ExporterOptions, NameTheFlagThatIsWrong) {
  EXPECT_THAT(Parse({"--web.listen-address", "x"}).error().message,
              HasSubstr("--web.listen-address: \"x\" is not an address"));
  EXPECT_THAT(Parse({"--web.telemetry-path", "metrics"}).error().message,
              HasSubstr("--web.telemetry-path: \"metrics\""));
  EXPECT_THAT(Parse({"--log-level", "loud"}).error().message, HasSubstr("--log-level: "));
}

TEST(ExporterOptions, HaveTheirDefaults) {
  const Result<Options> options = Parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->listen.front().ToString(), "127.0.0.1:9100");
  EXPECT_EQ(options->collector_options.stats_files.front(), "/dev/shm/atalaya-cloud_server.stats");
}

}  // namespace
}  // namespace atalaya::exporter
