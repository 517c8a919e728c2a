#include "alertd/collect/telemetry_clients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/collect/telemetry_input.h"

namespace atalaya::alertd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::int64_t kClientsNow = 1'700'000'000'000;
constexpr std::int64_t kDay = 24 * 3'600'000;

std::vector<std::string> Texts(const SampleBatch& batch) {
  std::vector<std::string> texts;
  for (const auto& [series, sample] : batch.samples) {
    const bool stale = telemetry::IsStaleMarker(sample.value);
    texts.push_back(series->labels.ToString() +
                    (stale ? " stale" : fmt::format(" {}", sample.value)));
  }
  return texts;
}

TelemetryReading Reading(const std::string& client, const std::vector<std::string>& metrics) {
  TelemetryReading reading;
  reading.client = client;
  for (const std::string& metric : metrics) reading.values.push_back({metric, {kClientsNow, 1}});
  return reading;
}

class TelemetryClientsTest : public testing::Test {
 protected:
  std::vector<std::string> Take(const std::string& client,
                                const std::vector<std::string>& metrics) {
    SampleBatch batch;
    const Status taken = clients_.Take(Reading(client, metrics), now_ms_, batch);
    arrivals_ = std::erase_if(batch.samples, [](const telemetry::SeriesSample& sample) {
      return sample.series->labels.Get("__name__") == "cloud_client_last_arrival_timestamp_seconds";
    });
    return taken ? Texts(batch) : std::vector<std::string>{taken.error().message};
  }
  std::vector<std::string> Presence(const std::string& client, bool online) {
    SampleBatch batch;
    event_ = clients_.SetPresence(client, online, now_ms_, batch);
    return Texts(batch);
  }
  std::vector<std::string> Refresh(bool all_told) {
    SampleBatch batch;
    clients_.Refresh(all_told, now_ms_, batch);
    return Texts(batch);
  }

  std::int64_t now_ms_ = kClientsNow;
  TelemetryClients clients_{2, {"known"}, kClientsNow};
  bool event_ = false;
  std::size_t arrivals_ = 0;  // Samples of arrival in the last Take.
};

TEST_F(TelemetryClientsTest, SayWhenTheyPublishedOnceASecond) {
  SampleBatch batch;
  ASSERT_TRUE(clients_.Take(Reading("box", {"telemetry_a"}), now_ms_, batch));
  EXPECT_THAT(Texts(batch), Contains(fmt::format(
                                "cloud_client_last_arrival_timestamp_seconds{{client=\"box\"}} {}",
                                static_cast<double>(kClientsNow) / 1000)));
  now_ms_ += 999;
  Take("box", {"telemetry_a"});
  EXPECT_EQ(arrivals_, 0u);
  now_ms_ += 1;
  Take("box", {"telemetry_a"});
  EXPECT_EQ(arrivals_, 1u);
}

TEST_F(TelemetryClientsTest, SayWhetherThoseWithTelemetryAreConnected) {
  EXPECT_THAT(Presence("box", true), IsEmpty());  // It has sent nothing yet.
  EXPECT_THAT(Take("box", {"telemetry_a"}),
              ElementsAre("telemetry_a{client=\"box\"} 1", "cloud_client_up{client=\"box\"} 1"));
  EXPECT_THAT(Presence("box", false), ElementsAre("cloud_client_up{client=\"box\"} 0"));
  EXPECT_TRUE(event_);
  EXPECT_THAT(Presence("box", false), ElementsAre("cloud_client_up{client=\"box\"} 0"));
  EXPECT_FALSE(event_);
  EXPECT_THAT(Refresh(false), ElementsAre("cloud_client_up{client=\"box\"} 0"));
}

TEST_F(TelemetryClientsTest, SayNothingOfThoseTheServerNeverNamed) {
  EXPECT_THAT(Take("sensor", {"telemetry_a"}), ElementsAre("telemetry_a{client=\"sensor\"} 1"));
  EXPECT_THAT(Refresh(true), ElementsAre("cloud_client_up{client=\"known\"} 0"));
}

TEST_F(TelemetryClientsTest, TakeAKnownOneForAwayOnceAllIsTold) {
  EXPECT_THAT(Refresh(false), IsEmpty());
  EXPECT_THAT(Refresh(true), ElementsAre("cloud_client_up{client=\"known\"} 0"));
  EXPECT_THAT(Presence("known", true), ElementsAre("cloud_client_up{client=\"known\"} 1"));
  EXPECT_TRUE(event_);
}

TEST_F(TelemetryClientsTest, EndWhatIsKnownWithTheConnection) {
  Presence("known", true);
  SampleBatch batch;
  clients_.LosePresence(now_ms_, batch);
  EXPECT_THAT(Texts(batch), ElementsAre("cloud_client_up{client=\"known\"} stale"));
  EXPECT_THAT(Refresh(false), IsEmpty());
}

// The value that the history has of it is of the run before.
TEST_F(TelemetryClientsTest, EndWhatWasKnownBeforeTheStart) {
  SampleBatch batch;
  clients_.LosePresence(now_ms_, batch);
  clients_.LosePresence(now_ms_, batch);
  EXPECT_THAT(Texts(batch), ElementsAre("cloud_client_up{client=\"known\"} stale"));
}

TEST_F(TelemetryClientsTest, RefuseWhatIsOverALimitWhole) {
  Take("box", {"telemetry_a"});
  EXPECT_THAT(Take("box", {"telemetry_b", "telemetry_c"}),
              ElementsAre(HasSubstr("more series than series_per_client = 2")));
  EXPECT_EQ(clients_.series(), 1u);
  EXPECT_THAT(Take("box", {"telemetry_b"}), ElementsAre("telemetry_b{client=\"box\"} 1"));
  EXPECT_TRUE(clients_.MayComplain("box", now_ms_));
  EXPECT_FALSE(clients_.MayComplain("box", now_ms_));
}

TEST_F(TelemetryClientsTest, ForgetWhoWasAwayForADay) {
  Presence("box", true);
  Take("box", {"telemetry_a"});
  now_ms_ += 2 * kDay;
  EXPECT_THAT(Refresh(true), UnorderedElementsAre("cloud_client_up{client=\"box\"} 1",
                                                  "cloud_client_up{client=\"known\"} stale"));
  EXPECT_EQ(clients_.clients(), 1u);  // `known` is gone, which was never there.
  Presence("box", false);
  now_ms_ += kDay + 1;
  EXPECT_THAT(Refresh(true), ElementsAre("cloud_client_up{client=\"box\"} stale"));
  EXPECT_EQ(clients_.clients(), 0u);
  EXPECT_EQ(clients_.series(), 0u);
}

TEST_F(TelemetryClientsTest, ForgetVisitorsThatSendNothing) {
  Presence("visitor", true);
  EXPECT_EQ(clients_.clients(), 2u);
  Presence("visitor", false);
  EXPECT_EQ(clients_.clients(), 1u);
  for (std::size_t i = 0; i < kMaxTelemetryClients + 10; ++i) Presence(fmt::format("v{}", i), true);
  EXPECT_EQ(clients_.clients(), kMaxTelemetryClients);
  EXPECT_THAT(Take("one more", {"telemetry_a"}), ElementsAre(HasSubstr("more than 20000 clients")));
}

}  // namespace
}  // namespace atalaya::alertd
