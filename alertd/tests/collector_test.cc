#include "alertd/collect/collector.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "base/file.h"
#include "base/gzip.h"
#include "base/http_server.h"
#include "base/net.h"

namespace atalaya::alertd {
namespace {

using namespace std::chrono_literals;
using telemetry::SeriesSample;

constexpr std::chrono::seconds kDeadline{30};

// What a collector hands over, kept for a test that waits for it.
class Inbox {
 public:
  CollectorOptions Options() {
    CollectorOptions options;
    options.append = [this](std::span<const SeriesSample> samples) -> Status {
      const std::lock_guard lock(mutex_);
      samples_.insert(samples_.end(), samples.begin(), samples.end());
      changed_.notify_all();
      return {};
    };
    options.when_durable = [](const std::function<void()>& done) { done(); };
    options.on_event = [this](std::int64_t) {
      const std::lock_guard lock(mutex_);
      ++events_;
      changed_.notify_all();
    };
    return options;
  }

  // The first value of `series` ("up{job=...}", as Labels prints it) that `accept` takes.
  template <typename Accept>
  std::optional<double> Wait(const std::string& series, Accept accept) {
    std::optional<double> found;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDeadline, [&] {
      for (const SeriesSample& sample : samples_) {
        if (sample.series->labels.ToString() == series && accept(sample.sample.value))
          found = sample.sample.value;
      }
      return found.has_value();
    });
    return found;
  }
  bool WaitValue(const std::string& series, double value) {
    return Wait(series, [&](double v) { return v == value; }).has_value();
  }
  bool WaitStale(const std::string& series) {
    return Wait(series, [](double v) { return telemetry::IsStaleMarker(v); }).has_value();
  }
  bool SeenStale(const std::string& series) {
    const std::lock_guard lock(mutex_);
    return std::any_of(samples_.begin(), samples_.end(), [&](const SeriesSample& sample) {
      return sample.series->labels.ToString() == series &&
             telemetry::IsStaleMarker(sample.sample.value);
    });
  }
  bool WaitScrapes(const std::string& series, int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] {
      return std::count_if(samples_.begin(), samples_.end(), [&](const SeriesSample& sample) {
               return sample.series->labels.ToString() == series;
             }) >= count;
    });
  }
  bool WaitEvents(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] { return events_ >= count; });
  }
  void Clear() {
    const std::lock_guard lock(mutex_);
    samples_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SeriesSample> samples_;
  int events_ = 0;
};

// Serves one page that a test may change.
class PageServer {
 public:
  PageServer() {
    HttpServerOptions options;
    options.listen = {{"127.0.0.1", 0}};
    options.threads = 4;
    server_ = *HttpServer::Start(options, [this](const HttpRequest& request) {
      const std::lock_guard lock(mutex_);
      last_ = request;
      HttpResponse response;
      response.status = status_;
      response.body = gzip_ ? GzipCompress(page_) : page_;
      if (gzip_) response.headers.emplace_back("Content-Encoding", "gzip");
      return response;
    });
  }
  void Set(const std::string& page, int status = 200, bool gzip = false) {
    const std::lock_guard lock(mutex_);
    page_ = page;
    status_ = status;
    gzip_ = gzip;
  }
  HttpRequest last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  std::string address() const { return server_->addresses().front().ToString(); }

 private:
  std::mutex mutex_;
  std::string page_;
  int status_ = 200;
  bool gzip_ = false;
  HttpRequest last_;
  std::unique_ptr<HttpServer> server_;
};

CollectorConfig Scraping(const std::string& address) {
  CollectorConfig config;
  ScrapeConfig scrape;
  scrape.job = "node";
  scrape.targets = {address};
  scrape.interval = 100ms;
  scrape.timeout = 100ms;
  scrape.labels = {{"room", "cellar"}};
  config.scrapes.push_back(scrape);
  return config;
}

std::string Series(const std::string& metric, const std::string& address,
                   const std::string& before = "") {
  return metric + "{" + before + "instance=\"" + address + "\", job=\"node\", room=\"cellar\"}";
}

std::uint64_t FailedBy(const Collector& collector, ScrapeFaultKind kind) {
  return collector.Figures().scrapes.failed[static_cast<std::size_t>(kind)];
}

TEST(Scraper, LabelsSamplesAndMarksTheEndOfSeries) {
  PageServer server;
  server.Set("a 1\nb{job=\"theirs\"} 2\n");
  Inbox inbox;
  CollectorConfig config = Scraping(server.address());
  config.scrapes[0].timeout = 10s;  // A busy machine is no outage here.
  auto collector = *Collector::Start(inbox.Options(), config);
  EXPECT_TRUE(inbox.WaitValue(Series("up", server.address()), 1));
  EXPECT_TRUE(inbox.WaitValue(Series("a", server.address()), 1));
  EXPECT_TRUE(inbox.WaitValue(Series("b", server.address(), "exported_job=\"theirs\", "), 2));
  EXPECT_TRUE(inbox.WaitValue(Series("scrape_samples_scraped", server.address()), 2));
  EXPECT_TRUE(
      inbox.WaitValue(Series("scrape_samples_post_metric_relabeling", server.address()), 2));
  EXPECT_TRUE(inbox.WaitValue(Series("scrape_series_added", server.address()), 2));
  EXPECT_TRUE(inbox.WaitValue(Series("scrape_series_added", server.address()), 0));
  server.Set("a 1\n");
  EXPECT_TRUE(inbox.WaitStale(Series("b", server.address(), "exported_job=\"theirs\", ")));
  EXPECT_TRUE(collector->Settled());
}

TEST(Scraper, FailsAPageThatCannotBeReadAndSaysWhy) {
  PageServer server;
  server.Set("a 1\n");
  Inbox inbox;
  CollectorConfig config = Scraping(server.address());
  config.scrapes[0].timeout = 10s;
  auto collector = *Collector::Start(inbox.Options(), config);
  EXPECT_TRUE(inbox.WaitValue(Series("a", server.address()), 1));
  server.Set("a 1\nb b b\n");
  EXPECT_TRUE(inbox.WaitValue(Series("up", server.address()), 0));
  EXPECT_TRUE(inbox.WaitStale(Series("a", server.address())));
  const std::vector<TargetStatus> targets = collector->Targets();
  ASSERT_EQ(targets.size(), 1u);
  EXPECT_EQ(targets[0].health, TargetHealth::kDown);
  EXPECT_THAT(targets[0].last_error, testing::HasSubstr("line 2"));
  EXPECT_GE(FailedBy(*collector, ScrapeFaultKind::kSyntax), 1u);
}

TEST(Scraper, TakesAnAnswerOtherThan200AsDown) {
  PageServer server;
  server.Set("a 1\n", 500);
  Inbox inbox;
  CollectorConfig config = Scraping(server.address());
  config.scrapes[0].timeout = 10s;
  auto collector = *Collector::Start(inbox.Options(), config);
  EXPECT_TRUE(inbox.WaitValue(Series("up", server.address()), 0));
  EXPECT_THAT(collector->Targets()[0].last_error, testing::HasSubstr("500"));
}

TEST(Scraper, AsksAsPrometheusDoesAndUnpacksGzip) {
  PageServer server;
  server.Set("a 1\n", 200, true);
  Inbox inbox;
  CollectorConfig config = Scraping(server.address());
  ScrapeConfig& scrape = config.scrapes[0];
  scrape.timeout = scrape.interval = 2500ms;
  scrape.path = "/probe";
  scrape.params = {{"module", "icmp v4"}};
  scrape.username = "me";
  scrape.password = "s3cret";
  auto collector = *Collector::Start(inbox.Options(), config);
  EXPECT_TRUE(inbox.WaitValue(Series("a", server.address()), 1));
  const HttpRequest request = server.last();
  EXPECT_EQ(request.path, "/probe");
  EXPECT_EQ(request.query, "module=icmp+v4");
  EXPECT_THAT(request.Header("accept"),
              testing::StartsWith("application/openmetrics-text;version=1.0.0,"));
  EXPECT_EQ(request.Header("accept-encoding"), "gzip");
  EXPECT_EQ(request.Header("x-prometheus-scrape-timeout-seconds"), "2.5");
  EXPECT_EQ(request.Header("authorization"), "Basic bWU6czNjcmV0");
}

TEST(Scraper, FailsAPageThatUnpacksToMoreThanTheLimit) {
  PageServer server;
  server.Set(std::string(8u << 20, '\n'), 200, true);
  Inbox inbox;
  CollectorConfig config = Scraping(server.address());
  config.scrapes[0].timeout = 10s;
  config.scrapes[0].limits.body_bytes = 1u << 20;
  auto collector = *Collector::Start(inbox.Options(), config);
  EXPECT_TRUE(inbox.WaitValue(Series("up", server.address()), 0));
  EXPECT_GE(FailedBy(*collector, ScrapeFaultKind::kBodyLimit), 1u);
  EXPECT_THAT(collector->Targets()[0].last_error, testing::HasSubstr("longer than 1048576 bytes"));
}

TEST(Scraper, LetsNoTargetDelayAnother) {
  // More that never answer than HttpClient has connections by default, all on one address.
  UniqueFd silent = *ListenTcp({"127.0.0.1", 0});
  const std::string silent_address = LocalAddress(silent.get())->ToString();
  PageServer server;
  server.Set("a 1\n");
  Inbox inbox;
  CollectorConfig config = Scraping(server.address());
  config.scrapes[0].timeout = 10s;
  ScrapeConfig hung = config.scrapes[0];
  hung.job = "hung";
  hung.timeout = hung.interval = 300s;
  hung.targets.clear();
  hung.files.clear();
  for (int i = 0; i < 200; ++i) {
    hung.labels["number"] = fmt::format("{}", i);
    hung.job = fmt::format("hung{}", i);
    hung.targets = {silent_address};
    config.scrapes.push_back(hung);
  }
  auto collector = *Collector::Start(inbox.Options(), config);
  // All of them are begun within kFirstScrapeWithin; those of the good one go on after that.
  for (int second = 0; second < 3; ++second) {
    inbox.Clear();
    ASSERT_TRUE(inbox.WaitValue(Series("up", server.address()), 1));
    ASSERT_TRUE(inbox.WaitScrapes(Series("up", server.address()), 10));
  }
  EXPECT_EQ(FailedBy(*collector, ScrapeFaultKind::kTimeout), 0u);
}

TEST(Scraper, GoesOnThroughAChangeOfConfiguration) {
  PageServer stays;
  PageServer goes;
  stays.Set("a 1\n");
  goes.Set("a 1\n");
  Inbox inbox;
  CollectorConfig config = Scraping(stays.address());
  config.scrapes[0].timeout = 10s;
  config.scrapes[0].targets.push_back(goes.address());
  auto collector = *Collector::Start(inbox.Options(), config);
  ASSERT_TRUE(inbox.WaitValue(Series("a", stays.address()), 1));
  ASSERT_TRUE(inbox.WaitValue(Series("a", goes.address()), 1));
  config.scrapes[0].targets.pop_back();
  config.scrapes[0].timeout = 9s;
  ASSERT_TRUE(collector->Reconfigure(config));
  EXPECT_TRUE(inbox.WaitStale(Series("a", goes.address())));
  EXPECT_TRUE(inbox.WaitStale(Series("up", goes.address())));
  inbox.Clear();
  EXPECT_TRUE(inbox.WaitValue(Series("a", stays.address()), 1));
  ASSERT_EQ(collector->Targets().size(), 1u);
  EXPECT_EQ(collector->Targets()[0].timeout, 9s);
  ASSERT_TRUE(collector->Reconfigure({}));
  EXPECT_TRUE(inbox.WaitStale(Series("a", stays.address())));
  EXPECT_TRUE(collector->Targets().empty());
}

TEST(Scraper, TakesTargetsFromFiles) {
  PageServer server;
  server.Set("a 1\n");
  std::string pattern = (std::filesystem::temp_directory_path() / "atalaya-sd-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  const auto write = [&](const std::string& text) {
    ASSERT_TRUE(WriteFileAtomic(folder / "t.json", text));
  };
  write(fmt::format(R"([{{"targets": ["{}", "bad"], "labels": {{"room": "attic"}}}}])",
                    server.address()));
  Inbox inbox;
  CollectorConfig config = Scraping(server.address());
  config.scrapes[0].targets.clear();
  config.scrapes[0].files = {(folder / "*.json").string()};
  config.scrapes[0].timeout = 10s;
  auto collector = *Collector::Start(inbox.Options(), config);
  const std::string series =
      "a{instance=\"" + server.address() + "\", job=\"node\", room=\"attic\"}";
  EXPECT_TRUE(inbox.WaitValue(series, 1));
  EXPECT_EQ(collector->Figures().scrapes.left_out, 1u);
  EXPECT_EQ(collector->Targets()[0].discovered.at("__meta_filepath"), folder / "t.json");
  write("[");
  write("[]");
  EXPECT_TRUE(inbox.WaitStale(series));
  std::filesystem::remove_all(folder);
}

CollectorConfig Probing(ProbeKind kind, const HostPort& target) {
  CollectorConfig config;
  ProbeConfig probe;
  probe.name = "p";
  probe.kind = kind;
  probe.address = target;
  probe.target = target.ToString();
  probe.interval = 200ms;
  probe.timeout = 10s;
  config.probes.push_back(probe);
  return config;
}

constexpr char kProbe[] = "probe_success{probe=\"p\"}";

TEST(TcpProbe, SeesAListenerComeToItsEnd) {
  UniqueFd listener = *ListenTcp({"127.0.0.1", 0});
  const HostPort address = *LocalAddress(listener.get());
  Inbox inbox;
  auto collector = *Collector::Start(inbox.Options(), Probing(ProbeKind::kTcp, address));
  EXPECT_TRUE(inbox.WaitValue(kProbe, 1));
  EXPECT_TRUE(inbox.WaitEvents(1));
  listener.Reset();
  EXPECT_TRUE(inbox.WaitValue(kProbe, 0));
  EXPECT_TRUE(inbox.WaitEvents(2));
}

TEST(Prober, EndsTheSeriesOfThoseThatDoNotStay) {
  UniqueFd listener = *ListenTcp({"127.0.0.1", 0});
  CollectorConfig config = Probing(ProbeKind::kTcp, *LocalAddress(listener.get()));
  config.probes.push_back(config.probes[0]);
  config.probes[1].name = "q";
  Inbox inbox;
  auto collector = *Collector::Start(inbox.Options(), config);
  ASSERT_TRUE(inbox.WaitValue(kProbe, 1));
  ASSERT_TRUE(inbox.WaitValue("probe_success{probe=\"q\"}", 1));
  config.probes.pop_back();
  inbox.Clear();
  ASSERT_TRUE(collector->Reconfigure(config));
  EXPECT_TRUE(inbox.WaitStale("probe_success{probe=\"q\"}"));
  EXPECT_TRUE(inbox.WaitStale("probe_dns_lookup_time_seconds{probe=\"q\"}"));
  EXPECT_FALSE(inbox.SeenStale(kProbe));
}

// Answers each connection's first bytes with `reply`, until the listener is shut down.
void AnswerAll(int listener, const std::string& reply) {
  while (true) {
    pollfd waiting{listener, POLLIN, 0};
    if (poll(&waiting, 1, -1) < 0) return;
    const UniqueFd client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!client && errno != EAGAIN) return;
    if (!client) continue;
    char buffer[256];
    if (recv(client.get(), buffer, sizeof buffer, 0) <= 0) continue;
    static_cast<void>(send(client.get(), reply.data(), reply.size(), MSG_NOSIGNAL));
    static_cast<void>(recv(client.get(), buffer, sizeof buffer, 0));
  }
}

double MqttProbeAgainst(const std::string& reply, std::string* error) {
  UniqueFd listener = *ListenTcp({"127.0.0.1", 0});
  const HostPort address = *LocalAddress(listener.get());
  std::thread server([&] { AnswerAll(listener.get(), reply); });
  double result = -1;
  {
    Inbox inbox;
    auto collector = *Collector::Start(inbox.Options(), Probing(ProbeKind::kMqtt, address));
    result = inbox.Wait(kProbe, [](double) { return true; }).value_or(-1);
    *error = collector->Targets()[0].last_error;
  }
  shutdown(listener.get(), SHUT_RDWR);
  server.join();
  return result;
}

TEST(MqttProbe, AsksForAConnackThatLetsIn) {
  std::string error;
  EXPECT_EQ(MqttProbeAgainst(std::string("\x20\x02\x00\x00", 4), &error), 1);
  EXPECT_EQ(MqttProbeAgainst(std::string("\x20\x02\x00\x05", 4), &error), 0);
  EXPECT_THAT(error, testing::HasSubstr("code 5"));
  EXPECT_EQ(MqttProbeAgainst("HTTP/1.1 400 Bad Request\r\n\r\n", &error), 0);
  EXPECT_THAT(error, testing::HasSubstr("no "));
}

// A probe that holds its connection and is not due again, as its server sees it.
class HeldProbe : public testing::Test {
 protected:
  HeldProbe() {
    CollectorConfig config = Probing(ProbeKind::kTcp, *LocalAddress(listener_.get()));
    config.probes[0].interval = 1h;
    config.probes[0].hold = true;
    collector_ = *Collector::Start(inbox_.Options(), config);
  }
  UniqueFd Accept() {
    pollfd waiting{listener_.get(), POLLIN, 0};
    EXPECT_EQ(poll(&waiting, 1, -1), 1);
    return UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  UniqueFd listener_ = *ListenTcp({"127.0.0.1", 0});
  Inbox inbox_;
  std::unique_ptr<Collector> collector_;
};

TEST_F(HeldProbe, LooksAgainAtOnceWhenItsConnectionEnds) {
  UniqueFd held = Accept();
  ASSERT_TRUE(inbox_.WaitValue(kProbe, 1));
  held.Reset();
  held = Accept();
  EXPECT_TRUE(held);
  EXPECT_TRUE(inbox_.WaitScrapes(kProbe, 2));
  EXPECT_EQ(collector_->Targets()[0].health, TargetHealth::kUp);
}

TEST_F(HeldProbe, IsDownAtOnceWithItsServer) {
  UniqueFd held = Accept();
  ASSERT_TRUE(inbox_.WaitValue(kProbe, 1));
  listener_.Reset();
  held.Reset();
  EXPECT_TRUE(inbox_.WaitValue(kProbe, 0));
  EXPECT_TRUE(inbox_.WaitEvents(2));
}

// A process that lives until it is killed, and a pid file that names it.
class ProcessWatch : public testing::Test {
 protected:
  ProcessWatch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atalaya-pid-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    config_.processes.push_back({"s", "", (folder_ / "s.pid").string(), {{"server", "box"}}});
  }
  ~ProcessWatch() override {
    Kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void Spawn() {
    int input[2];
    ASSERT_EQ(pipe2(input, O_CLOEXEC), 0);
    input_ = UniqueFd(input[1]);
    const UniqueFd read_end(input[0]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, read_end.get(), 0);
    char name[] = "cat";
    char* argv[] = {name, nullptr};
    ASSERT_EQ(posix_spawn(&pid_, "/bin/cat", &actions, nullptr, argv, nullptr), 0);
    posix_spawn_file_actions_destroy(&actions);
    ASSERT_TRUE(WriteFileAtomic(config_.processes[0].pid_file, fmt::format("{}\n", pid_)));
  }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  static constexpr char kUp[] = "process_watch_up{process=\"s\", server=\"box\"}";
  static constexpr char kPlanned[] = "process_watch_stop_planned{process=\"s\", server=\"box\"}";
  std::filesystem::path folder_;
  CollectorConfig config_;
  UniqueFd input_;
  pid_t pid_ = -1;
  Inbox inbox_;
};

TEST_F(ProcessWatch, SeesACrashAndTheNextStart) {
  Spawn();
  auto collector = *Collector::Start(inbox_.Options(), config_);
  EXPECT_TRUE(inbox_.WaitValue(kUp, 1));
  EXPECT_TRUE(inbox_.WaitEvents(1));
  inbox_.Clear();
  Kill();
  EXPECT_TRUE(inbox_.WaitValue(kUp, 0));
  EXPECT_TRUE(inbox_.WaitValue(kPlanned, 0));
  EXPECT_TRUE(inbox_.WaitEvents(2));
  inbox_.Clear();
  Spawn();
  EXPECT_TRUE(inbox_.WaitValue(kUp, 1));
  EXPECT_TRUE(inbox_.WaitEvents(3));
}

TEST_F(ProcessWatch, TakesAnExitWithoutPidFileAsPlanned) {
  Spawn();
  auto collector = *Collector::Start(inbox_.Options(), config_);
  EXPECT_TRUE(inbox_.WaitValue(kUp, 1));
  inbox_.Clear();
  std::filesystem::remove(config_.processes[0].pid_file);
  Kill();
  EXPECT_TRUE(inbox_.WaitValue(kUp, 0));
  EXPECT_TRUE(inbox_.WaitValue(kPlanned, 1));
}

TEST_F(ProcessWatch, GivesGraceToAProcessThatIsNotThereYet) {
  auto collector = *Collector::Start(inbox_.Options(), config_);
  EXPECT_TRUE(inbox_.WaitValue(kUp, 0));
  EXPECT_TRUE(inbox_.WaitValue(kPlanned, 1));
}

}  // namespace
}  // namespace atalaya::alertd
