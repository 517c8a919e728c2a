#include "exporter/gatherer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <thread>

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

std::string Gather(Gatherer& gatherer, const std::set<std::string>& only = {}) {
  TextWriter page(TextFormat::kPrometheus);
  const Status status = gatherer.Gather(only, page);
  return status ? page.text() : status.error().message;
}

TEST(Gatherer, GathersAllOrSomeAndSaysHowItWent) {
  std::vector<NamedCollector> collectors;
  collectors.push_back({"a", std::make_unique<Good>("metric_a")});
  collectors.push_back({"b", std::make_unique<Failing>()});
  Gatherer gatherer(std::move(collectors), {});
  const std::string all = Gather(gatherer);
  EXPECT_THAT(all, HasSubstr("metric_a 1\n"));
  EXPECT_THAT(all, HasSubstr("half 1\n")) << "what could be had is not thrown away";
  EXPECT_THAT(all, HasSubstr("node_scrape_collector_success{collector=\"a\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("node_scrape_collector_success{collector=\"b\"} 0\n"));
  EXPECT_THAT(all, HasSubstr("node_scrape_collector_duration_seconds{collector=\"b\"} "));
  const std::string some = Gather(gatherer, {"a"});
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
  Gatherer gatherer(std::move(collectors), options);
  for (int i = 0; i < 3; ++i) {
    const std::string page = Gather(gatherer);
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
  while (page.find("hung 1\n") == std::string::npos && hold->entered < 1000)
    page = Gather(gatherer);
  EXPECT_THAT(page, HasSubstr("node_scrape_collector_success{collector=\"hanging\"} 1\n"));
}

TEST(Gatherer, DoesNotWaitForAHangingCollectorWhenItEnds) {
  const auto hold = std::make_shared<Hold>();
  {
    std::vector<NamedCollector> collectors;
    collectors.push_back({"hanging", std::make_unique<Hanging>(hold)});
    GatherOptions options;
    options.collector_deadline = 20ms;
    Gatherer gatherer(std::move(collectors), options);
    Gather(gatherer);
  }
  hold->release.release();
  hold->left.acquire();
}

TEST(Gatherer, ScrapesFromManyThreadsEachGetAWholePage) {
  std::vector<NamedCollector> collectors;
  collectors.push_back({"a", std::make_unique<Good>("metric_a")});
  collectors.push_back({"b", std::make_unique<Good>("metric_b")});
  Gatherer gatherer(std::move(collectors), {});
  std::vector<std::thread> scrapers;
  for (int i = 0; i < 8; ++i) {
    scrapers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        const std::string page = Gather(gatherer);
        EXPECT_THAT(page, HasSubstr("metric_a 1\n"));
        EXPECT_THAT(page, HasSubstr("metric_b 1\n"));
      }
    });
  }
  for (std::thread& scraper : scrapers) scraper.join();
}

}  // namespace
}  // namespace atalaya::exporter
