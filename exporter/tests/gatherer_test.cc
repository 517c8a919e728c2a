#include "exporter/gatherer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <thread>

#include "exporter/kernel_file.h"
#include "exporter/tests/scrape_bench.h"

namespace atalaya::exporter {
namespace {

using namespace std::chrono_literals;
using telemetry::MetricType;
using telemetry::TextFormat;
using telemetry::TextWriter;
using testing::HasSubstr;
using testing::Not;

class Good final : public Collector {
 public:
  explicit Good(std::string name) : name_(std::move(name)) {}
  Status Collect(TextWriter& out) override {
    out.Family(name_, MetricType::kGauge, "A figure.");
    out.Sample("", 1);
    return {};
  }

 private:
  std::string name_;
};

class Failing final : public Collector {
 public:
  Status Collect(TextWriter& out) override {
    out.Family("half", MetricType::kGauge, "A figure.");
    out.Sample("", 1);
    return Fail(ErrorCode::kIo, "the rest is broken");
  }
};

class HalfBroken final : public Collector {
 public:
  Status Collect(TextWriter& out) override {
    out.Family("half_broken", MetricType::kGauge, "A figure.");
    if (const auto value = ParseValue<int>("12x")) out.Sample("", *value);
    return {};
  }
};

// Hangs until it is let go, as a dead mount does.
struct Hold {
  std::counting_semaphore<> release{0};
  std::counting_semaphore<> left{0};
  std::atomic<int> entered = 0;
};
class Hanging final : public Collector {
 public:
  explicit Hanging(std::shared_ptr<Hold> hold) : hold_(std::move(hold)) {}
  Status Collect(TextWriter& out) override {
    ++hold_->entered;
    out.Family("hung", MetricType::kGauge, "A figure.");
    hold_->release.acquire();
    out.Sample("", 1);
    hold_->left.release();
    return {};
  }

 private:
  std::shared_ptr<Hold> hold_;
};

std::string Gather(const ScrapeBench& bench, const std::string& query = "") {
  return bench.Get("/metrics" + query).body;
}

TEST(Gatherer, GathersAllOrSomeAndSaysHowItWent) {
  std::vector<NamedCollector> collectors;
  collectors.push_back({"a", std::make_unique<Good>("metric_a")});
  collectors.push_back({"b", std::make_unique<Failing>()});
  const ScrapeBench bench(std::move(collectors));
  const std::string all = Gather(bench);
  EXPECT_THAT(all, HasSubstr("metric_a 1\n"));
  EXPECT_THAT(all, HasSubstr("half 1\n")) << "what could be had is not thrown away";
  EXPECT_THAT(all, HasSubstr("node_scrape_collector_success{collector=\"a\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("node_scrape_collector_success{collector=\"b\"} 0\n"));
  EXPECT_THAT(all, HasSubstr("node_scrape_collector_duration_seconds{collector=\"b\"} "));
  const std::string some = Gather(bench, "?collect[]=a");
  EXPECT_THAT(some, HasSubstr("metric_a 1\n"));
  EXPECT_THAT(some, Not(HasSubstr("collector=\"b\"")));
}

TEST(Gatherer, SkipsACollectorThatHangsAndNeverEntersItTwice) {
  const auto hold = std::make_shared<Hold>();
  std::vector<NamedCollector> collectors;
  collectors.push_back({"a", std::make_unique<Good>("metric_a")});
  collectors.push_back({"hanging", std::make_unique<Hanging>(hold)});
  collectors.push_back({"z", std::make_unique<Good>("metric_z")});
  GatherOptions options;
  options.collector_deadline = 50ms;
  const ScrapeBench bench(std::move(collectors), options);
  for (int i = 0; i < 3; ++i) {
    const std::string page = Gather(bench);
    EXPECT_THAT(page, HasSubstr("metric_a 1\n"));
    EXPECT_THAT(page, HasSubstr("metric_z 1\n")) << "the others go on";
    EXPECT_THAT(page, HasSubstr("node_scrape_collector_success{collector=\"hanging\"} 0\n"));
    EXPECT_THAT(page, Not(HasSubstr("hung 1")));
  }
  EXPECT_EQ(hold->entered, 1);

  hold->release.release(1000);
  hold->left.acquire();
  // The thread that hung has still to say that it left; until then the collector is skipped.
  std::string page;
  while (page.find("hung 1\n") == std::string::npos && hold->entered < 1000) page = Gather(bench);
  EXPECT_THAT(page, HasSubstr("node_scrape_collector_success{collector=\"hanging\"} 1\n"));
}

TEST(Gatherer, CountsTheValuesLeftOut) {
  std::vector<NamedCollector> collectors;
  collectors.push_back({"broken", std::make_unique<HalfBroken>()});
  collectors.push_back({"good", std::make_unique<Good>("good_figure")});
  const ScrapeBench bench(std::move(collectors));
  bench.Get("/metrics");
  const std::string page = bench.Get("/metrics").body;
  EXPECT_THAT(page, HasSubstr("cloud_exporter_values_left_out_total{collector=\"broken\"} 2\n"));
  EXPECT_THAT(page, Not(HasSubstr("cloud_exporter_values_left_out_total{collector=\"good\"}")));
}

// The thread that carries on sends the answer, which ends the connection.
TEST(Gatherer, AnswersAClientThatLeavesAfterAHungScrape) {
  const auto hold = std::make_shared<Hold>();
  std::vector<NamedCollector> collectors;
  collectors.push_back({"hanging", std::make_unique<Hanging>(hold)});
  GatherOptions options;
  options.collector_deadline = 50ms;
  const ScrapeBench bench(std::move(collectors), options);
  EXPECT_EQ(bench.Get("/metrics", "Connection: close\r\n").status, 200);
  EXPECT_EQ(bench.Get("/metrics").status, 200);
  hold->release.release(1000);
}

TEST(Gatherer, SurvivesManyThatHangAtOnce) {
  const auto hold = std::make_shared<Hold>();
  std::vector<NamedCollector> collectors;
  for (int i = 0; i < 5; ++i)
    collectors.push_back({fmt::format("hanging{}", i), std::make_unique<Hanging>(hold)});
  collectors.push_back({"z", std::make_unique<Good>("metric_z")});
  GatherOptions options;
  options.collector_deadline = 20ms;
  options.scrape_deadline = 10'000ms;
  const ScrapeBench bench(std::move(collectors), options);
  EXPECT_THAT(Gather(bench), HasSubstr("metric_z 1\n"));
  EXPECT_EQ(hold->entered, 5);
  hold->release.release(5);
}

TEST(Gatherer, EntersNoCollectorAfterTheScrapesDeadline) {
  const auto hold = std::make_shared<Hold>();
  std::vector<NamedCollector> collectors;
  collectors.push_back({"hanging", std::make_unique<Hanging>(hold)});
  collectors.push_back({"z", std::make_unique<Good>("metric_z")});
  GatherOptions options;
  options.collector_deadline = 20ms;
  options.scrape_deadline = 10ms;
  const ScrapeBench bench(std::move(collectors), options);
  const std::string page = Gather(bench);
  EXPECT_THAT(page, Not(HasSubstr("metric_z 1\n")));
  EXPECT_THAT(page, HasSubstr("node_scrape_collector_success{collector=\"z\"} 0\n"));
  hold->release.release();
}

TEST(Gatherer, DoesNotWaitForAHangingCollectorWhenItEnds) {
  const auto hold = std::make_shared<Hold>();
  {
    std::vector<NamedCollector> collectors;
    collectors.push_back({"hanging", std::make_unique<Hanging>(hold)});
    GatherOptions options;
    options.collector_deadline = 20ms;
    const ScrapeBench bench(std::move(collectors), options);
    Gather(bench);
  }
  hold->release.release();
  hold->left.acquire();
}

TEST(Gatherer, ScrapesFromManyThreadsEachGetAWholePage) {
  std::vector<NamedCollector> collectors;
  collectors.push_back({"a", std::make_unique<Good>("metric_a")});
  collectors.push_back({"b", std::make_unique<Good>("metric_b")});
  const ScrapeBench bench(std::move(collectors));
  std::vector<std::thread> scrapers;
  for (int i = 0; i < 8; ++i) {
    scrapers.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        const std::string page = Gather(bench);
        EXPECT_THAT(page, HasSubstr("metric_a 1\n"));
        EXPECT_THAT(page, HasSubstr("metric_b 1\n"));
      }
    });
  }
  for (std::thread& scraper : scrapers) scraper.join();
}

class Twice final : public Collector {
 public:
  Status Collect(TextWriter& out) override {
    out.Family("metric_a", MetricType::kGauge, "Another's.");
    out.Sample("", 2);
    out.Family("metric_own", MetricType::kGauge, "Its own.");
    out.Sample("", 3);
    return {};
  }
};

TEST(Gatherer, LeavesOutWhatATextfileRepeats) {
  std::vector<NamedCollector> collectors;
  collectors.push_back({"textfile", std::make_unique<Twice>()});
  collectors.push_back({"z", std::make_unique<Good>("metric_a")});
  const std::string page = Gather(ScrapeBench(std::move(collectors)));
  EXPECT_THAT(page, HasSubstr("metric_a 1\n"));
  EXPECT_THAT(page, Not(HasSubstr("metric_a 2\n")));
  EXPECT_THAT(page, HasSubstr("metric_own 3\n"));
}

}  // namespace
}  // namespace atalaya::exporter
