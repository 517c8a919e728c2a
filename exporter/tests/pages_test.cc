#include "exporter/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/gzip.h"
#include "exporter/options.h"
#include "exporter/tests/scrape_bench.h"

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
  Reply Get(const std::string& path, const std::string& headers = "") const {
    return bench_.Get(path, headers);
  }

  ScrapeBench bench_{Collectors()};
};

TEST_F(PagesTest, ChoosesTheFormatByAccept) {
  const auto type = [&](const std::string& accept) {
    return Get("/metrics", "Accept: " + accept + "\r\n").headers["Content-Type"];
  };
  const std::string text(ContentType(telemetry::TextFormat::kPrometheus));
  const std::string open_metrics(ContentType(telemetry::TextFormat::kOpenMetrics));
  EXPECT_EQ(Get("/metrics").headers["Content-Type"], text);
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
  const Reply response = Get("/metrics", "Accept-Encoding: deflate, gzip;q=0.5\r\n");
  EXPECT_THAT(response.headers, Contains(Pair("Content-Encoding", "gzip")));
  EXPECT_THAT(GzipDecompress(response.body, 1u << 20).value_or(""), HasSubstr("node_load1 "));
  EXPECT_THAT(Get("/metrics", "Accept-Encoding: gzip;q=0\r\n").body, HasSubstr("node_load1 "));
}

TEST_F(PagesTest, CollectsWhatIsAskedFor) {
  const std::string some = Get("/metrics?collect[]=loadavg").body;
  EXPECT_THAT(some, HasSubstr("node_load1 "));
  EXPECT_THAT(some, Not(HasSubstr("node_memory_")));
  const std::string others = Get("/metrics?exclude%5B%5D=loadavg").body;
  EXPECT_THAT(others, Not(HasSubstr("node_load1 ")));
  EXPECT_THAT(others, HasSubstr("node_memory_MemTotal_bytes "));
  const Reply unknown = Get("/metrics?collect[]=loadavgs");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(unknown.body, HasSubstr("did you mean \"loadavg\"?"));
  EXPECT_EQ(Get("/metrics?collect[]=loadavg&exclude[]=meminfo").status, 400);
  EXPECT_EQ(Get("/metrics?exclude[]=loadavg&exclude[]=meminfo").status, 400);
}

TEST_F(PagesTest, HasALandingPageAndHealth) {
  EXPECT_THAT(Get("/").body, HasSubstr("href=\"/metrics\""));
  EXPECT_EQ(Get("/-/healthy").status, 200);
  EXPECT_EQ(Get("/-/ready").status, 200);
  EXPECT_EQ(Get("/other").status, 404);
  const Reply post = bench_.Ask("POST", "/metrics", "Content-Length: 0\r\n");
  EXPECT_EQ(post.status, 405);
  EXPECT_THAT(post.headers, Contains(Pair("Allow", "GET, HEAD")));
}

TEST_F(PagesTest, CountsItsScrapes) {
  Get("/metrics");
  EXPECT_THAT(Get("/metrics").body, HasSubstr("cloud_exporter_scrapes_total 2\n"));
}

Result<Options> Parse(std::vector<const char*> args) {
  args.insert(args.begin(), "cloud_exporter");
  return ParseOptions(static_cast<int>(args.size()), args.data());
}

TEST(ExporterOptions, ChooseCollectors) {
  EXPECT_EQ(Parse({})->collectors.size() + 3, AllCollectors().size());  // Three are off.
  EXPECT_THAT(Parse({"--collector.processes"})->collectors, Contains("processes"));
  EXPECT_THAT(Parse({"--no-collector.hwmon"})->collectors, Not(Contains("hwmon")));
  EXPECT_EQ(Parse({"--collector.disable-defaults", "--collector.cpu"})->collectors,
            std::vector<std::string>{"cpu"});
  EXPECT_EQ(Parse({"--collector.loadavgs"}).error().message,
            "unknown flag --collector.loadavgs; did you mean \"--collector.loadavg\"?");
}

TEST(ExporterOptions, TakeWhatNodeExportersUsersWrite) {
  const Result<Options> options =
      Parse({"--log.level=warn", "--log.format=json", "--web.max-requests=40",
             "--runtime.gomaxprocs=1", "--no-collector.systemd", "--no-collector.wifi",
             "--no-collector.netdev.netlink", "--collector.filesystem.ignored-fs-types=^tmpfs$",
             "--collector.netdev.device-blacklist=^veth", "--web.listen-address=127.0.0.1:1",
             "--web.listen-address=127.0.0.1:2"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->log_level, LogLevel::kWarning);
  EXPECT_EQ(options->collector_options.fs_types_exclude, "^tmpfs$");
  EXPECT_EQ(options->collector_options.netdevs.exclude, "^veth");
  EXPECT_EQ(options->listen.size(), 2u);
  EXPECT_THAT(Parse({"--collector.systemd"}).error().message, HasSubstr("unknown flag"));
}

TEST(ExporterOptions, NameTheFlagThatIsWrong) {
  EXPECT_THAT(Parse({"--web.listen-address", "x"}).error().message,
              HasSubstr("--web.listen-address: \"x\" is not an address"));
  EXPECT_THAT(Parse({"--web.telemetry-path", "metrics"}).error().message,
              HasSubstr("--web.telemetry-path: \"metrics\""));
  EXPECT_THAT(Parse({"--log-level", "loud"}).error().message, HasSubstr("--log-level: "));
}

TEST(ExporterOptions, AreReadFromAFileAndTheFlagsCountMore) {
  const std::string path = fmt::format("/dev/shm/atalaya-exporter-options-{}.toml", getpid());
  ASSERT_TRUE(WriteFileAtomic(path, R"(
log-level = "warning"
[web]
listen-address = ["127.0.0.1:1", "127.0.0.1:2"]
[collector]
disable-defaults = true
[collector.cpu]
enabled = true
info = true
info-flags-include = "^aes$"
[collector.netdev]
device-exclude = "^lo$"
[path]
procfs = "/host/proc"
)"));
  const Result<Options> options =
      Parse({"--config.file", path.c_str(), "--path.procfs", "/other", "--collector.meminfo"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->listen.size(), 2u);
  EXPECT_EQ(options->collectors, (std::vector<std::string>{"cpu", "meminfo"}));
  EXPECT_TRUE(options->collector_options.cpu_info);
  EXPECT_EQ(options->collector_options.cpu_flags_include, "^aes$");
  EXPECT_EQ(options->collector_options.netdevs.exclude, "^lo$");
  EXPECT_EQ(options->collector_options.procfs, "/other");
  ASSERT_TRUE(WriteFileAtomic(path, "[collector.cpu]\nenable = true\n"));
  EXPECT_THAT(Parse({"--config.file", path.c_str()}).error().message,
              AllOf(HasSubstr(":2:1: "), HasSubstr("did you mean \"enabled\"?")));
  std::filesystem::remove(path);
  EXPECT_EQ(Parse({"--config.file", path.c_str()}).error().code, ErrorCode::kNotFound);
}

TEST(ExporterOptions, HaveTheirDefaults) {
  const Result<Options> options = Parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->listen.front().ToString(), "127.0.0.1:9100");
  EXPECT_EQ(options->collector_options.stats_files.front(), "/dev/shm/atalaya-cloud_server.stats");
}

}  // namespace
}  // namespace atalaya::exporter
