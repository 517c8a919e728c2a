#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "alertd/api/api.h"

namespace atalaya::alertd {
namespace {

using Json = nlohmann::json;
using telemetry::Labels;
using testing::HasSubstr;

class AlertmanagerApi : public testing::Test {
 protected:
  AlertmanagerApi() {
    folder_ = testing::TempDir() + "/alertmanager_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    history::StoreOptions storing;
    storing.path = folder_ + "/history.db";
    storing.clock = &clock_;
    store_ = std::move(*history::Store::Open(storing));
    engine_ = std::make_unique<promql::Engine>(*store_);
    silences_ = *SilenceBook::Open(OpenState(), clock_);
    posted_ = *PostedAlerts::Open(OpenState(), clock_);
    options_.store = store_.get();
    options_.engine = engine_.get();
    options_.clock = &clock_;
    options_.silences = silences_.get();
    options_.rules = [this] { return std::make_shared<const RulesSnapshot>(rules_); };
    ReceiverConfig ops;
    ops.name = "ops";
    routing_->receivers = {ops};
    CompleteRouting(*routing_, {});
    options_.view = [this](std::vector<Alert> firing) {
      for (Alert& alert : firing) alert.labels.Set("site", "tower");
      AlertsNow alerts{std::move(firing), {}, {}};
      posted_->AddTo(alerts, clock_.NowMs());
      return ViewAlerts(*routing_, silences_.get(), std::move(alerts.firing), clock_.NowMs());
    };
    options_.routing = [this] { return routing_; };
    options_.posted = posted_.get();
    options_.on_posted = [this] { ++posts_; };
  }
  SqliteDatabase OpenState() {
    const std::array<std::string_view, 2> migrations{kSilencesMigration1, kPostedAlertsMigration1};
    return *SqliteDatabase::Open(folder_ + "/state.db", SqliteSync::kFull, migrations);
  }
  ~AlertmanagerApi() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Fire(const std::string& name, const std::string& instance) {
    Alert alert;
    alert.labels = Labels({{"alertname", name}, {"instance", instance}});
    alert.annotations = {{"summary", "look"}};
    alert.state = AlertState::kFiring;
    alert.fired_at_ms = clock_.NowMs();
    if (rules_.rules.empty()) rules_.rules.emplace_back();
    rules_.rules[0].alerts.push_back(alert);
  }

  HttpResponse Send(const std::string& method, const std::string& target,
                    const std::string& body = "", const std::string& type = "application/json") {
    HttpRequest request;
    request.method = method;
    const auto mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    request.headers = {{"host", "localhost"}, {"content-type", type}};
    request.body = body;
    return Api(options_).Handle(request);
  }
  Json Get(const std::string& target) {
    const HttpResponse response = Send("GET", target);
    EXPECT_EQ(response.status, 200) << response.body;
    return Json::parse(response.body);
  }
  Json Silence(const std::string& value, bool regex = false) const {
    return {{"matchers", {{{"name", "instance"}, {"value", value}, {"isRegex", regex}}}},
            {"startsAt", FormatRfc3339(clock_.NowMs())},
            {"endsAt", FormatRfc3339(clock_.NowMs() + 60'000)},
            {"createdBy", "anna"},
            {"comment", "works"}};
  }
  std::string Post(const Json& silence) {
    const HttpResponse response = Send("POST", "/api/v2/silences", silence.dump());
    EXPECT_EQ(response.status, 200) << response.body;
    return Json::parse(response.body).value("silenceID", "");
  }
  void ExpectRefused(const Json& silence, int status, const std::string& part) {
    const HttpResponse response = Send("POST", "/api/v2/silences", silence.dump());
    EXPECT_EQ(response.status, status);
    EXPECT_THAT(Json::parse(response.body).get<std::string>(), HasSubstr(part));
  }

  FakeClock clock_;
  std::string folder_;
  std::unique_ptr<history::Store> store_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<SilenceBook> silences_;
  std::unique_ptr<PostedAlerts> posted_;
  std::shared_ptr<Routing> routing_ = std::make_shared<Routing>();
  int posts_ = 0;
  RulesSnapshot rules_;
  ApiOptions options_;
};

TEST_F(AlertmanagerApi, MakesShowsAndEndsASilence) {
  const std::string id = Post(Silence("a"));
  const Json silence = Get("/api/v2/silence/" + id);
  EXPECT_EQ(silence["status"]["state"], "active");
  EXPECT_EQ(silence["createdBy"], "anna");
  EXPECT_EQ(silence["matchers"][0],
            (Json{{"name", "instance"}, {"value", "a"}, {"isRegex", false}, {"isEqual", true}}));
  EXPECT_EQ(Get("/api/v2/silences").size(), 1u);
  EXPECT_EQ(Get("/api/v2/silences?filter=instance%3D%22b%22").size(), 0u);
  EXPECT_EQ(Send("DELETE", "/api/v2/silence/" + id).status, 200);
  EXPECT_EQ(Get("/api/v2/silence/" + id)["status"]["state"], "expired");
  EXPECT_EQ(Send("DELETE", "/api/v2/silence/none").status, 404);
  EXPECT_EQ(Send("GET", "/api/v2/silence/none").status, 404);
}

TEST_F(AlertmanagerApi, ShowsWhatFiresAndWhatIsSilenced) {
  Fire("Down", "a");
  Fire("Disk", "b");
  const std::string id = Post(Silence("a"));
  const Json down = Get("/api/v2/alerts?filter=alertname%3D%22Down%22&filter=site%3D%22tower%22");
  ASSERT_EQ(down.size(), 1u);
  EXPECT_EQ(down[0]["status"]["state"], "suppressed");
  EXPECT_EQ(down[0]["status"]["silencedBy"], Json::array({id}));
  EXPECT_EQ(down[0]["receivers"], (Json::array({{{"name", "ops"}}})));
  EXPECT_EQ(down[0]["annotations"]["summary"], "look");
  const Json active = Get("/api/v2/alerts?silenced=false");
  ASSERT_EQ(active.size(), 1u);
  EXPECT_EQ(active[0]["labels"]["instance"], "b");
  EXPECT_EQ(Get("/api/v2/alerts?active=false").size(), 1u);
  EXPECT_EQ(Get("/api/v2/alerts?receiver=none").size(), 0u);
  EXPECT_EQ(Get("/api/v2/alerts/groups").size(), 2u);
  EXPECT_EQ(Send("GET", "/api/v2/alerts?filter=nonsense").status, 400);
}

TEST_F(AlertmanagerApi, RefusesWhatIsNoSilence) {
  ExpectRefused(Json::array(), 400, "body");
  Json silence = Silence("a");
  silence["endsAt"] = "tomorrow";
  ExpectRefused(silence, 400, "endsAt");
  silence = Silence("a");
  silence["matchers"] = "a";
  ExpectRefused(silence, 400, "matchers");
  silence = Silence("a");
  silence["matchers"][0]["isRegex"] = 1;
  ExpectRefused(silence, 400, "isRegex");
  ExpectRefused(Silence("(", true), 400, "instance");
  silence = Silence("a");
  silence["id"] = "unknown";
  ExpectRefused(silence, 404, "unknown");
  EXPECT_EQ(Send("POST", "/api/v2/silences", "{", "application/json").status, 400);
}

// What another site's page can make a browser send.
TEST_F(AlertmanagerApi, TakesNoForms) {
  EXPECT_EQ(Send("POST", "/api/v2/silences", Silence("a").dump(), "text/plain").status, 415);
  EXPECT_EQ(Send("PUT", "/api/v2/silences").status, 405);
  EXPECT_EQ(Send("POST", "/api/v2/alerts", "[]", "text/plain").status, 415);
  EXPECT_EQ(Send("PUT", "/api/v2/alerts").status, 405);
  EXPECT_TRUE(silences_->List().empty());
}

TEST_F(AlertmanagerApi, ShowsWhatIsInhibitedAndMuted) {
  InhibitRule rule;
  rule.source = Matchers({{telemetry::Matcher::Kind::kEqual, "alertname", "Down"}});
  rule.target = Matchers({{telemetry::Matcher::Kind::kEqual, "alertname", "Slow"}});
  routing_->inhibit_rules = {rule};
  Fire("Down", "a");
  Fire("Slow", "a");
  const Json slow = Get("/api/v2/alerts?filter=alertname=Slow");
  const Json down = Get("/api/v2/alerts?filter=alertname=Down");
  EXPECT_EQ(slow[0]["status"]["state"], "suppressed");
  EXPECT_EQ(slow[0]["status"]["inhibitedBy"], Json::array({down[0]["fingerprint"]}));
  EXPECT_EQ(down[0]["status"]["state"], "active");
  EXPECT_EQ(Get("/api/v2/alerts?inhibited=false").size(), 1u);
  EXPECT_EQ(Get("/api/v2/alerts?active=false").size(), 1u);

  routing_->time_intervals["always"].emplace_back();
  routing_->root.mute_time_intervals = {"always"};
  const Json groups = Get("/api/v2/alerts/groups?filter=alertname=Down");
  EXPECT_EQ(groups[0]["alerts"][0]["status"]["mutedBy"], Json::array({"always"}));
  EXPECT_EQ(groups[0]["labels"], (Json{{"alertname", "Down"}}));
  EXPECT_EQ(groups[0]["receiver"], (Json{{"name", "ops"}}));
  EXPECT_EQ(Get("/api/v2/alerts?muted=false").size(), 0u);
  EXPECT_EQ(Get("/api/v2/receivers"), (Json::array({{{"name", "ops"}}})));
}

TEST_F(AlertmanagerApi, TakesAlertsOfOthers) {
  const auto post = [this](const std::string& body) {
    return Send("POST", "/api/v2/alerts", body);
  };
  EXPECT_EQ(post(R"([{"labels": {"alertname": "Theirs", "empty": ""},
                      "annotations": {"summary": "look"}, "startsAt": "0001-01-01T00:00:00Z",
                      "generatorURL": "http://prometheus/graph"}])")
                .status,
            200);
  EXPECT_EQ(posts_, 1);
  const Json alerts = Get("/api/v2/alerts");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0]["labels"], (Json{{"alertname", "Theirs"}}));
  EXPECT_EQ(alerts[0]["annotations"]["summary"], "look");
  EXPECT_EQ(alerts[0]["generatorURL"], "http://prometheus/graph");
  EXPECT_EQ(alerts[0]["startsAt"], FormatRfc3339(clock_.NowMs()));
  EXPECT_EQ(posted_->NextEndMs(), clock_.NowMs() + 300'000);

  for (const char* bad :
       {"", "{}", "[1]", R"([{"labels": 1}])", R"([{"labels": {}}])", R"([{"labels": {"a": 1}}])",
        R"([{"labels": {"a-b": "c"}}])", R"([{"labels": {"a": "b"}, "endsAt": "soon"}])"}) {
    EXPECT_EQ(post(bad).status, 400) << bad;
  }
  EXPECT_EQ(posted_->Figures().refused, 8u);
}

}  // namespace
}  // namespace atalaya::alertd
