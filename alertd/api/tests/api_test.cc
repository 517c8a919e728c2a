#include "alertd/api/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

namespace atalaya::alertd {
namespace {

using Json = nlohmann::json;
using telemetry::LabelledSample;
using telemetry::Labels;
using testing::HasSubstr;

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    folder_ = testing::TempDir() + "/api_" + std::to_string(getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    history::StoreOptions options;
    options.path = folder_ + "/history.db";
    options.clock = &clock_;
    store_ = std::move(*history::Store::Open(options));
    engine_ = std::make_unique<promql::Engine>(*store_);
    options_.store = store_.get();
    options_.engine = engine_.get();
    options_.clock = &clock_;
  }
  ~ApiTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Put(std::vector<Labels::Pair> labels, double value) {
    const LabelledSample sample{Labels(std::move(labels)), {clock_.NowMs(), value}};
    ASSERT_TRUE(store_->Append({&sample, 1}));
  }
  HttpResponse Get(std::string target, std::map<std::string, std::string> headers = {}) {
    HttpRequest request;
    request.method = "GET";
    const auto mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    headers.emplace("host", "127.0.0.1:9480");
    request.headers = std::move(headers);
    return Send(request);
  }
  HttpResponse Send(const HttpRequest& request) { return Api(options_).Handle(request); }
  // The `data` of a success.
  Json Data(const std::string& target) {
    const HttpResponse response = Get(target);
    EXPECT_EQ(response.status, 200) << response.body;
    const Json answer = Json::parse(response.body);
    EXPECT_EQ(answer.value("status", ""), "success");
    return answer["data"];
  }
  void ExpectError(const std::string& target, int status, const std::string& type,
                   const std::string& part) {
    const HttpResponse response = Get(target);
    EXPECT_EQ(response.status, status) << target << ": " << response.body;
    const Json answer = Json::parse(response.body);
    EXPECT_EQ(answer.value("status", ""), "error");
    EXPECT_EQ(answer.value("errorType", ""), type);
    EXPECT_THAT(answer.value("error", ""), HasSubstr(part));
  }
  static std::string HeaderOf(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }

  FakeClock clock_;
  std::string folder_;
  std::unique_ptr<history::Store> store_;
  std::unique_ptr<promql::Engine> engine_;
  ApiOptions options_;
};

TEST_F(ApiTest, AnswersAnInstantVector) {
  Put({{"__name__", "up"}, {"job", "node"}}, 1);
  const Json data = Data("/api/v1/query?query=up");
  EXPECT_EQ(data["resultType"], "vector");
  EXPECT_EQ(data["result"][0]["metric"], (Json{{"__name__", "up"}, {"job", "node"}}));
  EXPECT_EQ(data["result"][0]["value"], (Json{1'700'000'000, "1"}));
}

TEST_F(ApiTest, WithATokenAnswersOnlyThoseWhoBringIt) {
  options_.token = "a-token-of-some-length";
  EXPECT_EQ(Get("/api/v1/labels").status, 401);
  EXPECT_EQ(Get("/api/atalaya/status").status, 401);
  EXPECT_EQ(Get("/api/v2/silences").status, 401);
  for (const char* open : {"/", "/page.css", "/-/healthy"})
    EXPECT_EQ(Get(open).status, 200) << open;
  const auto with = [&](const std::string& header) {
    return Get("/api/v1/labels", {{"authorization", header}}).status;
  };
  EXPECT_EQ(with("Bearer a-token-of-some-length"), 200);
  EXPECT_EQ(with("bearer a-token-of-some-length"), 200);
  EXPECT_EQ(with("Bearer a-token-of-some-lengtH"), 401);
  EXPECT_EQ(with("Bearer a-token-of-some-length2"), 401);
  EXPECT_EQ(with("Bearer"), 401);
  EXPECT_EQ(with("Basic bWU6YS10b2tlbi1vZi1zb21lLWxlbmd0aA=="), 200);  // me:...
  EXPECT_EQ(with("Basic YS10b2tlbi1vZi1zb21lLWxlbmd0aA=="), 401);      // No name.
  EXPECT_EQ(with("Basic bWU6b3RoZXI="), 401);
  EXPECT_EQ(with("Basic ***"), 401);
}

// A browser that keeps its cookie.
class SessionTest : public ApiTest {
 protected:
  SessionTest() { options_.token = "a-token-of-some-length"; }

  HttpResponse Ask(Api& api, const std::string& method, const std::string& target,
                   std::map<std::string, std::string> headers = {}) {
    HttpRequest request;
    request.method = method;
    const auto mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    headers.emplace("host", "127.0.0.1:9480");
    if (!cookie_.empty()) headers.emplace("cookie", "other=1; " + cookie_);
    request.headers = std::move(headers);
    HttpResponse response = api.Handle(request);
    if (const std::string set = HeaderOf(response, "Set-Cookie"); !set.empty())
      cookie_ = set.substr(0, set.find(';'));
    return response;
  }

  std::string cookie_;
};

TEST_F(SessionTest, OpensWithTheTokenInTheAddress) {
  Api api(options_);
  EXPECT_EQ(Ask(api, "GET", "/?token=a-token-of-some-lengtH").status, 401);
  EXPECT_EQ(Ask(api, "GET", "/api/v1/alerts").status, 401);
  const HttpResponse signed_in = Ask(api, "GET", "/?token=a-token-of-some-length");
  EXPECT_EQ(signed_in.status, 303);
  EXPECT_EQ(HeaderOf(signed_in, "Location"), "/");
  EXPECT_THAT(HeaderOf(signed_in, "Set-Cookie"),
              testing::MatchesRegex("atalaya_9480=[0-9a-f]+; Path=/; Max-Age=604800; HttpOnly; "
                                    "SameSite=Strict"));
  EXPECT_EQ(Ask(api, "GET", "/api/v1/alerts").status, 200);
  clock_.Advance(kSessionLifetime);
  EXPECT_EQ(Ask(api, "GET", "/api/v1/alerts").status, 401);
}

TEST_F(SessionTest, OpensAndEndsAtThePagesWish) {
  Api api(options_);
  const std::string path(kSessionPath);
  const HttpResponse asked = Ask(api, "GET", "/api/v1/alerts", {{"x-atalaya-page", "1"}});
  EXPECT_EQ(asked.status, 401);
  EXPECT_EQ(HeaderOf(asked, "WWW-Authenticate"), "") << "the browser's own box would open";
  EXPECT_EQ(Ask(api, "POST", path, {{"authorization", "Bearer a-token-of-some-length"}}).status,
            204);
  EXPECT_EQ(Ask(api, "GET", "/api/v1/alerts").status, 200);
  EXPECT_EQ(Ask(api, "POST", path, {{"x-atalaya-page", "1"}}).status, 403) << "it would never end";
  const std::string cookie = cookie_;
  EXPECT_EQ(Ask(api, "DELETE", path, {{"x-atalaya-page", "1"}}).status, 204);
  cookie_ = cookie;
  EXPECT_EQ(Ask(api, "GET", "/api/v1/alerts").status, 401);
}

TEST_F(SessionTest, ChangesNothingForAPageOfAnotherOrigin) {
  Api api(options_);
  const std::string token = "Bearer a-token-of-some-length";
  Ask(api, "GET", "/?token=a-token-of-some-length");
  const std::string path = "/api/v2/silences";
  EXPECT_EQ(Ask(api, "POST", path).status, 403);
  EXPECT_EQ(Ask(api, "POST", path, {{"x-atalaya-page", "1"}}).status, 404) << "it is let in";
  const auto with = [&](const std::string& name, const std::string& value) {
    return Ask(api, "POST", path, {{"x-atalaya-page", "1"}, {name, value}}).status;
  };
  EXPECT_EQ(with("origin", "http://127.0.0.1:9480"), 404);
  EXPECT_EQ(with("origin", "http://127.0.0.1:3000"), 403);
  EXPECT_EQ(with("origin", "null"), 403);
  EXPECT_EQ(with("sec-fetch-site", "same-origin"), 404);
  EXPECT_EQ(with("sec-fetch-site", "same-site"), 403);
  EXPECT_EQ(with("sec-fetch-site", "cross-site"), 403);
  cookie_.clear();
  EXPECT_EQ(Ask(api, "POST", path, {{"authorization", token}}).status, 404);
  EXPECT_EQ(Ask(api, "POST", path, {{"authorization", token}, {"origin", "http://x"}}).status, 403);
}

TEST_F(SessionTest, KeepsABoundedNumberOfSessions) {
  Api api(options_);
  Ask(api, "GET", "/?token=a-token-of-some-length");
  const std::string first = cookie_;
  for (std::size_t i = 0; i < kMaxSessions; ++i) {
    clock_.Advance(std::chrono::seconds(1));
    Ask(api, "GET", "/?token=a-token-of-some-length");
  }
  EXPECT_EQ(Ask(api, "GET", "/api/v1/alerts").status, 200);
  cookie_ = first;
  EXPECT_EQ(Ask(api, "GET", "/api/v1/alerts").status, 401);
}

TEST_F(SessionTest, StandsBelowABasePath) {
  options_.base_path = "/atalaya";
  Api api(options_);
  const HttpResponse bare = Ask(api, "GET", "/atalaya?token=a-token-of-some-length");
  EXPECT_EQ(bare.status, 308);
  EXPECT_EQ(HeaderOf(bare, "Location"), "/atalaya/?token=a-token-of-some-length");
  const HttpResponse signed_in = Ask(api, "GET", "/atalaya/?token=a-token-of-some-length");
  EXPECT_EQ(HeaderOf(signed_in, "Location"), "/atalaya/");
  EXPECT_THAT(HeaderOf(signed_in, "Set-Cookie"), HasSubstr("; Path=/atalaya/;"));
  EXPECT_EQ(Ask(api, "GET", "/atalaya/api/v1/alerts").status, 200);
  EXPECT_EQ(Ask(api, "GET", "/api/v1/alerts").status, 200) << "a proxy may take the path off";
  EXPECT_EQ(Ask(api, "GET", "/atalayas").status, 404);
}

TEST_F(SessionTest, ShowsMetricsToThisMachineAlone) {
  Api api(options_);
  HttpRequest request;
  request.method = "GET";
  request.path = "/metrics";
  request.headers = {{"host", "localhost"}};
  request.peer = "127.0.0.1:1";
  EXPECT_EQ(api.Handle(request).status, 200);
  request.headers["x-forwarded-for"] = "203.0.113.1";
  EXPECT_EQ(api.Handle(request).status, 401);
  request.headers.erase("x-forwarded-for");
  request.peer = "10.0.0.9:1";
  EXPECT_EQ(api.Handle(request).status, 401);
}

TEST_F(SessionTest, CountsWhatItRefuses) {
  Api api(options_);
  Ask(api, "GET", "/api/v1/alerts");
  Ask(api, "GET", "/", {{"host", "evil.example"}});
  Ask(api, "GET", "/?token=a-token-of-some-length");
  Ask(api, "GET", "/nowhere");
  Ask(api, "GET", "/api/v1/query?query=up{");
  api.CountRefused(413);
  const std::string page = Ask(api, "GET", "/metrics").body;
  for (const char* reason : {"malformed", "unauthorized", "not_found", "too_large", "host"}) {
    EXPECT_THAT(
        page, HasSubstr(fmt::format("cloud_alertd_http_requests_refused_total{{reason=\"{}\"}} 1\n",
                                    reason)));
  }
}

TEST_F(ApiTest, AnswersAScalarAndAString) {
  EXPECT_EQ(Data("/api/v1/query?query=1%2B1&time=5.5"),
            (Json{{"resultType", "scalar"}, {"result", {5.5, "2"}}}));
  EXPECT_EQ(Data("/api/v1/query?query=%22x%22&time=5"),
            (Json{{"resultType", "string"}, {"result", {5, "x"}}}));
}

TEST_F(ApiTest, AnswersARange) {
  for (int i = 0; i < 5; ++i) {
    Put({{"__name__", "x"}}, i);
    clock_.Advance(std::chrono::seconds(5));
  }
  const Json data = Data("/api/v1/query_range?query=x&start=1700000000&end=1700000010&step=5");
  EXPECT_EQ(data["resultType"], "matrix");
  EXPECT_EQ(data["result"][0]["values"],
            (Json{{1'700'000'000, "0"}, {1'700'000'005, "1"}, {1'700'000'010, "2"}}));
}

TEST_F(ApiTest, TakesAQueryByPost) {
  Put({{"__name__", "up"}}, 1);
  HttpRequest request;
  request.method = "POST";
  request.path = "/api/v1/query";
  request.body = "query=up";
  request.headers = {{"host", "localhost"}};
  EXPECT_THAT(Send(request).body, HasSubstr("\"value\":[1700000000,\"1\"]"));
  request.path = "/api/v1/rules";
  EXPECT_EQ(Send(request).status, 405);
  request.method = "DELETE";
  EXPECT_EQ(Send(request).status, 405);
}

TEST_F(ApiTest, NamesWhatIsWrongWithAQuery) {
  ExpectError("/api/v1/query?query=up%7B", 400, "bad_data", "parameter \"query\": 1:");
  ExpectError("/api/v1/query", 400, "bad_data", "parameter \"query\"");
  ExpectError("/api/v1/query?query=up&time=x", 400, "bad_data", "parameter \"time\"");
  ExpectError("/api/v1/query?query=up&limit=x", 400, "bad_data", "parameter \"limit\"");
  const std::string range = "/api/v1/query_range?query=up";
  ExpectError(range, 400, "bad_data", "parameter \"start\"");
  ExpectError(range + "&start=10&end=5&step=1", 400, "bad_data", "parameter \"end\"");
  ExpectError(range + "&start=10&end=15&step=0", 400, "bad_data", "parameter \"step\"");
  ExpectError(range + "&start=0&end=11001&step=1", 400, "bad_data", "11000 points");
  ExpectError("/api/v1/query_range?query=up%5B5m%5D&start=1&end=2&step=1", 400, "bad_data",
              "range vector");
  Put({{"__name__", "a"}, {"x", "1"}}, 1);
  Put({{"__name__", "a"}, {"x", "2"}}, 1);
  Put({{"__name__", "b"}, {"x", "1"}, {"y", "1"}}, 1);
  Put({{"__name__", "b"}, {"x", "1"}, {"y", "2"}}, 1);
  ExpectError("/api/v1/query?query=a%2Bon(x)b", 422, "execution", "");
}

TEST_F(ApiTest, LooksBackAsFarAsIsAsked) {
  Put({{"__name__", "up"}}, 1);
  clock_.Advance(std::chrono::seconds(90));
  EXPECT_EQ(Data("/api/v1/query?query=up")["result"].size(), 1u);
  EXPECT_EQ(Data("/api/v1/query?query=up&lookback_delta=1m")["result"].size(), 0u);
  EXPECT_EQ(Data("/api/v1/query?query=up&lookback_delta=91")["result"].size(), 1u);
  ExpectError("/api/v1/query?query=up&lookback_delta=x", 400, "bad_data", "\"lookback_delta\"");
}

TEST_F(ApiTest, TellsOnRequestWhatAQueryTook) {
  Put({{"__name__", "up"}}, 1);
  EXPECT_FALSE(Data("/api/v1/query?query=up").contains("stats"));
  const Json stats = Data("/api/v1/query?query=up&stats=all")["stats"];
  EXPECT_EQ(stats["samples"]["totalQueryableSamples"], 2) << "one read, one made";
  EXPECT_TRUE(stats["timings"]["execTotalTime"].is_number());
}

TEST_F(ApiTest, EndsAQueryByNameOfItsLimit) {
  Put({{"__name__", "up"}}, 1);
  const std::string endless = "/api/v1/query?query=count_over_time(up%5B100y%3A1ms%5D)";
  ExpectError(endless, 422, "execution", "max_samples");
  ExpectError(endless + "&timeout=x", 400, "bad_data", "\"timeout\"");
  const promql::Engine small(*store_, {.max_series = 1});
  options_.engine = &small;
  Put({{"__name__", "up"}, {"job", "b"}}, 1);
  ExpectError("/api/v1/query?query=up", 422, "execution", "max_series (1)");
  const promql::Engine hurried(*store_, {.timeout = std::chrono::milliseconds(-1)});
  options_.engine = &hurried;
  ExpectError("/api/v1/query?query=up", 503, "timeout", "timeout (-1 ms)");
}

TEST_F(ApiTest, EndsAQueryWhoseClientHasLeft) {
  HttpRequest request;
  request.method = "GET";
  request.path = "/api/v1/query";
  request.query = "query=up";
  request.headers = {{"host", "localhost"}};
  request.client_left = [] { return true; };
  const HttpResponse response = Send(request);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(Json::parse(response.body)["errorType"], "canceled");
}

TEST_F(ApiTest, CutsAtTheLimitAndSaysSo) {
  Put({{"__name__", "up"}, {"job", "a"}}, 1);
  Put({{"__name__", "up"}, {"job", "b"}}, 1);
  const Json answer = Json::parse(Get("/api/v1/query?query=up&limit=1").body);
  EXPECT_EQ(answer["data"]["result"].size(), 1u);
  EXPECT_EQ(answer["warnings"].size(), 1u);
  EXPECT_EQ(Data("/api/v1/label/job/values?limit=1"), Json{"a"});
}

TEST_F(ApiTest, LooksUpSeriesAndLabels) {
  Put({{"__name__", "up"}, {"job", "node"}}, 1);
  Put({{"__name__", "load"}, {"job", "node"}, {"cpu", "0"}}, 1);
  EXPECT_EQ(Data("/api/v1/series?match[]=up"), (Json{{{"__name__", "up"}, {"job", "node"}}}));
  EXPECT_EQ(Data("/api/v1/series?match[]=up&match[]=%7Bjob%3D%22node%22%7D").size(), 2u);
  EXPECT_EQ(Data("/api/v1/labels"), (Json{"__name__", "cpu", "job"}));
  EXPECT_EQ(Data("/api/v1/labels?match[]=up"), (Json{"__name__", "job"}));
  EXPECT_EQ(Data("/api/v1/label/__name__/values"), (Json{"load", "up"}));
  EXPECT_EQ(Data("/api/v1/label/job/values?end=5"), Json::array());
  ExpectError("/api/v1/series", 400, "bad_data", "match[]");
  ExpectError("/api/v1/series?match[]=1", 400, "bad_data", "selector");
  ExpectError("/api/v1/labels?start=9&end=5", 400, "bad_data", "\"end\"");
}

TEST_F(ApiTest, TakesAnEscapedNameInThePath) {
  Put({{"__name__", "up"}, {"service.name_\u00fc", "a"}, {"U__b", "c"}}, 1);
  EXPECT_EQ(Data("/api/v1/label/U__service_2e_name___fc_/values"), Json{"a"});
  EXPECT_EQ(Data("/api/v1/label/U___5f__5f_name_5F__5F_/values"), Json{"up"});
  EXPECT_EQ(Data("/api/v1/label/service.name_\u00fc/values"), Json{"a"});
  for (const char* wrong : {"U__service_2e", "U__a_zz_", "U__a_d800_", "U__a_410000_"}) {
    EXPECT_EQ(Data(std::string("/api/v1/label/") + wrong + "/values"), Json::array());
  }
  EXPECT_EQ(Data("/api/v1/label/U__U____b/values"), Json{"c"});
}

TEST_F(ApiTest, TellsItsVersionAndHealth) {
  EXPECT_EQ(Data("/api/v1/status/buildinfo")["version"], "3.0.0");
  EXPECT_FALSE(Data("/api/v1/status/buildinfo").contains("features"));
  EXPECT_EQ(Data("/api/v1/metadata"), Json::object());
  EXPECT_EQ(Get("/-/healthy").status, 200);
  EXPECT_EQ(Get("/-/ready").status, 200);
  options_.ready = [] { return Status(Fail(ErrorCode::kBusy, "not yet")); };
  EXPECT_EQ(Get("/-/ready").status, 503);
  EXPECT_EQ(Get("/-/ready").body, "not yet\n");
  ExpectError("/api/v1/nothing", 404, "not_found", "/api/v1/nothing");
  EXPECT_EQ(Get("/nothing").status, 404);
}

std::shared_ptr<const RulesSnapshot> OneFiringRule() {
  RulesSnapshot snapshot;
  snapshot.interval = std::chrono::seconds(5);
  snapshot.evaluated_at_ms = 1'700'000'000'000;
  RuleStatus rule;
  rule.name = "DiskSpaceLow";
  rule.group = "disk";
  rule.query = "free < 10";
  rule.file = "/etc/rules/disk.toml";
  rule.for_duration = std::chrono::minutes(5);
  rule.labels = {{"severity", "warning"}};
  rule.evaluated = true;
  rule.last_evaluation_ms = snapshot.evaluated_at_ms;
  rule.state = AlertState::kFiring;
  Alert alert;
  alert.labels = Labels({{"alertname", "DiskSpaceLow"}, {"mountpoint", "/"}});
  alert.annotations = {{"summary", "<b>/ is full</b>"}};
  alert.state = AlertState::kFiring;
  alert.active_since_ms = 1'700'000'000'000;
  alert.value = 9;
  rule.alerts = {alert};
  RuleStatus broken = rule;
  broken.name = "Broken";
  broken.alerts.clear();
  broken.state = AlertState::kInactive;
  broken.last_error = "many-to-many";
  snapshot.rules = {rule, broken};
  return std::make_shared<const RulesSnapshot>(snapshot);
}

TEST_F(ApiTest, ShowsRulesAndAlerts) {
  EXPECT_EQ(Data("/api/v1/rules"), (Json{{"groups", Json::array()}}));
  options_.rules = OneFiringRule;
  const Json groups = Data("/api/v1/rules")["groups"];
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0]["name"], "disk");
  EXPECT_EQ(groups[0]["interval"], 5);
  const Json& rules = groups[0]["rules"];
  EXPECT_EQ(rules[0]["state"], "firing");
  EXPECT_EQ(rules[0]["duration"], 300);
  EXPECT_EQ(rules[0]["health"], "ok");
  EXPECT_EQ(rules[0]["type"], "alerting");
  EXPECT_EQ(rules[1]["health"], "err");
  EXPECT_EQ(rules[1]["lastError"], "many-to-many");
  const Json alerts = Data("/api/v1/alerts")["alerts"];
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0]["value"], "9e+00");
  EXPECT_EQ(alerts[0]["activeAt"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(alerts[0]["annotations"]["summary"], "<b>/ is full</b>");
  EXPECT_EQ(Data("/api/v1/rules?type=record")["groups"], Json::array());
  ExpectError("/api/v1/rules?type=x", 400, "bad_data", "\"type\"");
}

TEST_F(ApiTest, ShowsTargets) {
  options_.targets = [] {
    TargetStatus target;
    target.pool = "node";
    target.address = "http://127.0.0.1:9100/metrics";
    target.labels = Labels({{"job", "node"}, {"instance", "127.0.0.1:9100"}});
    target.health = TargetHealth::kDown;
    target.last_error = "refused";
    target.interval = std::chrono::seconds(5);
    target.discovered = {{"__address__", "127.0.0.1:9100"}};
    return std::vector<TargetStatus>{target};
  };
  const Json target = Data("/api/v1/targets")["activeTargets"][0];
  EXPECT_EQ(target["health"], "down");
  EXPECT_EQ(target["scrapeInterval"], "5s");
  EXPECT_EQ(target["lastError"], "refused");
  EXPECT_EQ(target["lastScrape"], "0001-01-01T00:00:00Z");
  EXPECT_EQ(target["discoveredLabels"]["__address__"], "127.0.0.1:9100");
  EXPECT_EQ(Data("/api/v1/targets?state=any")["activeTargets"].size(), 1u);
  EXPECT_EQ(Data("/api/v1/targets?state=dropped")["activeTargets"], Json::array());
}

TEST_F(ApiTest, TellsWhatTargetsSayOfTheirFamilies) {
  options_.metadata = [] {
    using telemetry::MetricType;
    return std::vector<telemetry::FamilyMetadata>{
        {"a_total", MetricType::kCounter, "One \"way\".", ""},
        {"a_total", MetricType::kGauge, "Another.", ""},
        {"b_seconds", MetricType::kUntyped, "", "seconds"},
        {"c", MetricType::kGaugeHistogram, "", ""},
    };
  };
  const Json first = {{"type", "counter"}, {"help", "One \"way\"."}, {"unit", ""}};
  const Json second = {{"type", "gauge"}, {"help", "Another."}, {"unit", ""}};
  const Json b = {{"type", "unknown"}, {"help", ""}, {"unit", "seconds"}};
  const Json c = {{"type", "gaugehistogram"}, {"help", ""}, {"unit", ""}};
  EXPECT_EQ(Data("/api/v1/metadata"),
            (Json{{"a_total", {first, second}}, {"b_seconds", {b}}, {"c", {c}}}));
  EXPECT_EQ(Data("/api/v1/metadata?metric=b_seconds&limit=1"), (Json{{"b_seconds", {b}}}));
  EXPECT_EQ(Data("/api/v1/metadata?metric=d"), Json::object());
  EXPECT_EQ(Data("/api/v1/metadata?limit=2&limit_per_metric=1"),
            (Json{{"a_total", {first}}, {"b_seconds", {b}}}));
  EXPECT_EQ(Data("/api/v1/metadata?limit=0"), Json::object());
  EXPECT_EQ(Data("/api/v1/metadata?limit_per_metric=0").size(), 3u);
  ExpectError("/api/v1/metadata?limit=x", 400, "bad_data", "\"limit\"");
  ExpectError("/api/v1/metadata?limit_per_metric=-1", 400, "bad_data", "\"limit_per_metric\"");
}

TEST_F(ApiTest, ShowsHostsAndServers) {
  const std::string instance = "127.0.0.1:9100";
  for (int i = 0; i <= 60; i += 5) {
    Put({{"__name__", "up"}, {"job", "node"}, {"instance", instance}}, 1);
    Put({{"__name__", "node_uname_info"}, {"instance", instance}, {"nodename", "tower"}}, 1);
    Put({{"__name__", "node_memory_MemTotal_bytes"}, {"instance", instance}}, 1000);
    Put({{"__name__", "node_memory_MemAvailable_bytes"}, {"instance", instance}}, 250);
    Put({{"__name__", "node_cpu_seconds_total"},
         {"instance", instance},
         {"cpu", "0"},
         {"mode", "idle"}},
        100 + i * 0.75);
    Put({{"__name__", "node_boot_time_seconds"}, {"instance", instance}}, 1'699'999'000);
    for (const char* fstype : {"ext4", "tmpfs"}) {
      for (const char* name : {"node_filesystem_size_bytes", "node_filesystem_avail_bytes"}) {
        Put({{"__name__", name}, {"instance", instance}, {"mountpoint", "/"}, {"fstype", fstype}},
            50);
      }
    }
    Put({{"__name__", "cloud_server_up"}, {"instance", instance}, {"server", "main"}}, 0);
    Put({{"__name__", "cloud_server_state"}, {"server", "main"}, {"state", "hung"}}, 1);
    Put({{"__name__", "cloud_server_state"}, {"server", "main"}, {"state", "up"}}, 0);
    if (i < 60) clock_.Advance(std::chrono::seconds(5));
  }
  const Json data = Data("/api/atalaya/status");
  ASSERT_EQ(data["hosts"].size(), 1u);
  const Json& host = data["hosts"][0];
  EXPECT_EQ(host["name"], "tower");
  EXPECT_EQ(host["state"], "up");
  EXPECT_NEAR(host["cpuPercent"].get<double>(), 25, 1e-6);
  EXPECT_EQ(host["memoryAvailableBytes"], 250);
  EXPECT_EQ(host["uptimeSeconds"], 1060);
  EXPECT_EQ(host["disks"].size(), 1u);
  EXPECT_TRUE(host["temperatureCelsius"].is_null());
  EXPECT_EQ(data["servers"][0]["name"], "main");
  EXPECT_EQ(data["servers"][0]["state"], "hung");
  clock_.Advance(std::chrono::minutes(10));
  const Json silent = Data("/api/atalaya/status");
  EXPECT_EQ(silent["hosts"][0]["state"], "unknown");
  EXPECT_EQ(silent["servers"][0]["state"], "unknown");
  EXPECT_TRUE(silent["hosts"][0]["cpuPercent"].is_null());
}

TEST_F(ApiTest, ShowsNotices) {
  OutboxQuery asked;
  options_.notices = [&asked](const OutboxQuery& query) -> Result<std::vector<OutboxRow>> {
    asked = query;
    OutboxRow row;
    row.id = 7;
    row.receiver = "ops";
    row.state = OutboxState::kSent;
    row.status = "firing";
    row.summary = "one is down";
    return std::vector<OutboxRow>{row};
  };
  const Json notices =
      Data("/api/atalaya/notices?state=sent&receiver=ops&before=9&limit=5")["notices"];
  EXPECT_EQ(notices[0]["state"], "sent");
  EXPECT_EQ(notices[0]["summary"], "one is down");
  EXPECT_EQ(asked.state, OutboxState::kSent);
  EXPECT_EQ(asked.receiver, "ops");
  EXPECT_EQ(asked.before_id, 9);
  EXPECT_EQ(asked.limit, 5u);
  ExpectError("/api/atalaya/notices?state=lost", 400, "bad_data", "\"state\"");
  ExpectError("/api/atalaya/notices?before=x", 400, "bad_data", "\"before\"");
  options_.notices = [](const OutboxQuery&) -> Result<std::vector<OutboxRow>> {
    return Fail(ErrorCode::kIo, "disk on fire");
  };
  ExpectError("/api/atalaya/notices", 500, "internal", "disk on fire");
}

TEST_F(ApiTest, ShowsWhatEachRuleDecidesBy) {
  Put({{"__name__", "free"}, {"mount", "/"}}, 40);
  Put({{"__name__", "free"}, {"mount", "/srv"}}, 7);
  RulesSnapshot snapshot;
  const auto add = [&](const char* name, const char* query) {
    RuleStatus rule;
    rule.name = name;
    rule.query = query;
    rule.evaluated = true;
    rule.labels = {{"severity", "warning"}};
    snapshot.rules.push_back(rule);
  };
  add("Low", "(free < 5 + 5) and on () vector(1)");
  add("High", "free > 90");
  add("Gone", "absent(free)");
  snapshot.rules[2].last_error = "broken";
  options_.rules = [&] { return std::make_shared<const RulesSnapshot>(snapshot); };
  const Json data = Data("/api/atalaya/rules");
  EXPECT_EQ(data["found"], 3);
  EXPECT_EQ(data["rules"][0]["decision"],
            (Json{{"comparison", "<"}, {"threshold", 10}, {"value", 7}, {"series", 2}}));
  EXPECT_EQ(data["rules"][0]["state"], "inactive");
  EXPECT_EQ(data["rules"][0]["severity"], "warning");
  EXPECT_EQ(data["rules"][1]["decision"]["value"], 40);
  EXPECT_EQ(data["rules"][2]["decision"], nullptr);
  EXPECT_EQ(data["rules"][2]["state"], "failing");
  EXPECT_EQ(Data("/api/atalaya/rules?search=HIGH")["rules"].size(), 1u);
  EXPECT_EQ(Data("/api/atalaya/rules?limit=1")["found"], 3);
  EXPECT_EQ(Data("/api/atalaya/rules?limit=1")["rules"].size(), 1u);
}

TEST_F(ApiTest, TellsWhenTheWatcherRan) {
  Put({{"__name__", "up"}}, 1);
  const Json runs = Data("/api/atalaya/runs")["runs"];
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0]["startMs"], 1'700'000'000'000);
  EXPECT_EQ(Data("/api/atalaya/runs?start=1&end=2")["runs"], Json::array());
}

TEST_F(ApiTest, RefusesHostsThatAPageMayHaveRebound) {
  EXPECT_EQ(Get("/", {{"host", "evil.example:9480"}}).status, 421);
  EXPECT_EQ(Get("/api/v1/alerts", {{"host", "evil.example"}}).status, 421);
  EXPECT_EQ(Get("/", {{"host", ""}}).status, 421);
  EXPECT_EQ(Get("/", {{"host", "127.0.0.1.evil.example"}}).status, 421);
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:9480", "localhost:1", "LOCALHOST", "[::1]:9480", "10.0.0.1:80"}) {
    EXPECT_EQ(Get("/", {{"host", host}}).status, 200) << host;
  }
  options_.allowed_hosts = {"tower.example"};
  EXPECT_EQ(Get("/", {{"host", "Tower.example:443"}}).status, 200);
}

TEST_F(ApiTest, ServesThePageUnderAStrictPolicy) {
  const HttpResponse page = Get("/");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr("<title>"));
  EXPECT_THAT(HeaderOf(page, "Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_EQ(HeaderOf(page, "Access-Control-Allow-Origin"), "");
  // Nothing that the policy would refuse, and no address outside.
  EXPECT_EQ(page.body.find(" style="), std::string::npos);
  EXPECT_EQ(page.body.find("<style"), std::string::npos);
  EXPECT_EQ(page.body.find("://"), std::string::npos);
  EXPECT_EQ(Get("/page.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(Get("/main.js").content_type, "text/javascript; charset=utf-8");
}

TEST_F(ApiTest, AnswersUnchangedThingsWithoutABody) {
  const HttpResponse page = Get("/page.css");
  const std::string etag = HeaderOf(page, "ETag");
  ASSERT_NE(etag, "");
  const HttpResponse again = Get("/page.css", {{"if-none-match", etag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
  EXPECT_EQ(Get("/page.css", {{"if-none-match", "\"x\""}}).status, 200);
  EXPECT_NE(HeaderOf(Get("/api/atalaya/status"), "ETag"), "");
}

TEST_F(ApiTest, CountsItselfForScrapers) {
  Put({{"__name__", "up"}}, 1);
  options_.metrics = [](telemetry::TextWriter& page) {
    page.Family("more", telemetry::MetricType::kGauge, "More.");
    page.Sample("", 5);
  };
  const HttpResponse page = Get("/metrics");
  EXPECT_THAT(page.body, HasSubstr("\ncloud_alertd_history_samples_total 1\n"));
  EXPECT_THAT(page.body, HasSubstr("\nmore 5\n"));
  EXPECT_THAT(Get("/metrics", {{"accept", "application/openmetrics-text;version=1.0.0"}}).body,
              HasSubstr("# EOF"));
}

TEST_F(ApiTest, StopEndsQueries) {
  Api api(options_);
  api.Stop();
  HttpRequest request;
  request.method = "GET";
  request.path = "/-/ready";
  request.headers = {{"host", "localhost"}};
  EXPECT_EQ(api.Handle(request).status, 503);
}

}  // namespace
}  // namespace atalaya::alertd
