#include "exporter/page_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/page_request.h"
#include "exporter/tests/scrape_bench.h"

namespace atalaya::exporter {
namespace {

using testing::HasSubstr;

class Small final : public Collector {
 public:
  Status Collect(telemetry::TextWriter& out) override {
    out.Family("small", telemetry::MetricType::kGauge, "A figure.");
    out.Sample("", 1);
    return {};
  }
};

ScrapeBench SmallBench() {
  std::vector<NamedCollector> collectors;
  collectors.push_back({"small", std::make_unique<Small>()});
  return ScrapeBench(std::move(collectors));
}

TEST(PageServer, KeepsConnectionsAndAnswersWhatIsPipelined) {
  const ScrapeBench bench = SmallBench();
  const UniqueFd fd = bench.Connect();
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  ScrapeBench::Send(fd, request + request + "HEAD /metrics HTTP/1.1\r\n\r\n" + request);
  std::string unread;
  EXPECT_THAT(ScrapeBench::Receive(fd, unread).body, HasSubstr("small 1\n"));
  EXPECT_THAT(ScrapeBench::Receive(fd, unread).body, HasSubstr("small 1\n"));
  EXPECT_GT(std::stoi(ScrapeBench::Receive(fd, unread, true).headers["Content-Length"]), 100);
  EXPECT_THAT(ScrapeBench::Receive(fd, unread).body, HasSubstr("small 1\n"));
  ScrapeBench::Send(fd, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(ScrapeBench::Receive(fd, unread).headers["Connection"], "close");
  EXPECT_EQ(ScrapeBench::Receive(fd, unread).status, 0);
}

TEST(PageServer, RefusesWhatIsNoRequest) {
  const ScrapeBench bench = SmallBench();
  const auto status_of = [&](const std::string& text) {
    const UniqueFd fd = bench.Connect();
    ScrapeBench::Send(fd, text);
    std::string unread;
    const Reply reply = ScrapeBench::Receive(fd, unread);
    EXPECT_EQ(ScrapeBench::Receive(fd, unread).status, 0) << "and the connection ends";
    return reply.status;
  };
  EXPECT_EQ(status_of("nonsense\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET metrics HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nbad header\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"), 413);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"), 405);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nx: " + std::string(kMaxRequestBytes, 'x')), 431);
}

// 200 clients that say nothing, half a request, or take nothing of their answer.
TEST(PageServer, IsHeldUpByNoClient) {
  const ScrapeBench bench = SmallBench();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(bench.Connect());
    if (i % 3 == 1) ScrapeBench::Send(clients.back(), "GET /metrics HT");
    if (i % 3 != 2) continue;
    for (int k = 0; k < 50; ++k)
      ScrapeBench::Send(clients.back(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(bench.Get("/metrics").status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
}

TEST(PageServer, MakesRoomForNewClients) {
  const ScrapeBench bench = SmallBench();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 600; ++i) clients.push_back(bench.Connect());
  EXPECT_EQ(bench.Get("/metrics").status, 200);
  std::string unread;
  EXPECT_EQ(ScrapeBench::Receive(clients.front(), unread).status, 0) << "the idlest was closed";
}

TEST(PageRequest, IsReadOnlyWhenWhole) {
  const std::string text =
      "GET http://h/m%20x?collect[]=cpu HTTP/1.1\r\nACCEPT: a\r\nAccept: b\r\n\r\nrest";
  for (std::size_t size = 0; size < text.size() - 4; ++size) {
    HttpRequest request;
    const ParsedRequest parsed = ParsePageRequest(text.substr(0, size), request);
    EXPECT_EQ(parsed.outcome, ParsedRequest::kIncomplete) << size;
  }
  HttpRequest request;
  const ParsedRequest parsed = ParsePageRequest(text, request);
  ASSERT_EQ(parsed.outcome, ParsedRequest::kWhole);
  EXPECT_EQ(parsed.bytes, text.size() - 4);
  EXPECT_TRUE(parsed.keep_alive);
  EXPECT_EQ(request.path, "/m%20x");
  EXPECT_EQ(request.query, "collect[]=cpu");
  EXPECT_EQ(request.Header("accept"), "a,b");
}

}  // namespace
}  // namespace atalaya::exporter
