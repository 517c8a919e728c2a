#include "cloud_server/admin_api.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/http_client.h"
#include "cloud_server/tests/server_bench.h"

namespace atalaya::cloud_server {
namespace {

using nlohmann::json;
using telemetry::Stat;
using testing::ElementsAre;
using testing::HasSubstr;

class Admin : public ServerBench {
 protected:
  void StartAdmin() {
    StartWith("[admin]\nlisten = '127.0.0.1:0'\n");
    token_ = *ReadFile(folder_ / "data" / "admin.token");
    token_.pop_back();
  }
  std::pair<int, json> Ask(const std::string& method, const std::string& path,
                           const std::string& body = "") {
    const HttpClientRequest request{.method = method,
                                    .url = "http://" + app_->admin()->address().ToString() + path,
                                    .body = body,
                                    .bearer_token = token_};
    const Result<HttpClientReply> reply = http_.SendAndWait(request);
    EXPECT_TRUE(reply) << reply.error().message;
    return {reply ? reply->status : 0, reply ? json::parse(reply->body, nullptr, false) : json()};
  }
  std::vector<std::string> Ids(const std::string& query) {
    std::vector<std::string> ids;
    const json page = Ask("GET", "/api/v1/clients" + query).second;
    for (const json& client : page["clients"]) {
      ids.push_back(client["id"]);
    }
    return ids;
  }

  HttpClient http_;
  std::string token_;
};

TEST_F(Admin, WantsItsTokenAndKeepsItToItself) {
  StartAdmin();
  struct stat info {};
  ASSERT_EQ(stat((folder_ / "data" / "admin.token").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  EXPECT_EQ(Ask("GET", "/api/v1/clients").first, 200);
  token_.back() = token_.back() == 'x' ? 'y' : 'x';
  EXPECT_EQ(Ask("GET", "/api/v1/clients").first, 401);
  token_.clear();
  for (const char* path : {"/api/v1/clients", "/api/v1/clients/a", "/api/v1/drain", "/", "/x"}) {
    EXPECT_EQ(Ask("GET", path).first, 401) << path;
  }
  EXPECT_EQ(Ask("GET", "/-/healthy").first, 200);
}

TEST_F(Admin, ListsClientsWithFiltersAndPages) {
  StartAdmin();
  {
    TestClient away(address());
    ASSERT_EQ(away.Connect("b-away", false), 0);
  }
  std::vector<std::unique_ptr<TestClient>> clients;
  for (const char* id : {"a1", "a2", "a3", "b1"}) {
    clients.push_back(std::make_unique<TestClient>(address()));
    ASSERT_EQ(clients.back()->Connect(id), 0);
  }
  mqtt::Connect packet;
  packet.version = mqtt::Version::k5;
  packet.client_id = "five";
  TestClient five(address());
  ASSERT_EQ(five.Connect(packet), 0);
  ASSERT_TRUE(Reaches(Stat::kSessionsOffline, 1));
  EXPECT_THAT(Ids(""), ElementsAre("a1", "a2", "a3", "b-away", "b1", "five"));
  EXPECT_THAT(Ids("?prefix=a"), ElementsAre("a1", "a2", "a3"));
  EXPECT_THAT(Ids("?connected=false"), ElementsAre("b-away"));
  EXPECT_THAT(Ids("?protocol=5.0"), ElementsAre("five"));
  EXPECT_THAT(Ids("?protocol=3.1.1&prefix=b"), ElementsAre("b1"));
  EXPECT_THAT(Ids("?user=nobody"), ElementsAre());
  const json page = Ask("GET", "/api/v1/clients?limit=2&prefix=a").second;
  EXPECT_EQ(page["next"], "a2");
  EXPECT_THAT(Ids("?limit=2&prefix=a&cursor=a2"), ElementsAre("a3"));
  EXPECT_TRUE(Ask("GET", "/api/v1/clients?prefix=a&cursor=a2").second["next"].is_null());
}

TEST_F(Admin, InspectsOneClient) {
  StartAdmin();
  TestClient client(address());
  mqtt::Connect packet;
  packet.client_id = "a/b";
  packet.keep_alive_s = 60;
  ASSERT_EQ(client.Connect(packet), 0);
  ASSERT_EQ(client.Subscribe("x/#", mqtt::Qos::k1), 1);
  const json report = Ask("GET", "/api/v1/clients/a%2Fb").second;
  EXPECT_EQ(report["id"], "a/b");
  EXPECT_EQ(report["connected"], true);
  EXPECT_EQ(report["protocol"], "3.1.1");
  EXPECT_EQ(report["keepAliveSeconds"], 60);
  EXPECT_EQ(report["reason"], "connect");
  EXPECT_TRUE(report["user"].is_null());
  EXPECT_THAT(std::string(report["address"]), HasSubstr("127.0.0.1:"));
  EXPECT_GT(report["receivedBytes"], 10);
  EXPECT_EQ(report["filters"], json::parse(R"([{"filter": "x/#", "qos": 1}])"));
  EXPECT_EQ(Ask("GET", "/api/v1/clients/none").first, 404);
}

TEST_F(Admin, DisconnectsOneClient) {
  StartAdmin();
  TestClient client(address());
  ASSERT_EQ(client.Connect("a"), 0);
  TestClient other(address());
  ASSERT_EQ(other.Connect("b"), 0);
  EXPECT_EQ(Ask("DELETE", "/api/v1/clients/a").first, 200);
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kClosedAdministrative, 1));
  EXPECT_EQ(Ask("DELETE", "/api/v1/clients/a").first, 404);
  other.Ping();
}

TEST_F(Admin, DrainsOnceAndThenRefusesConnections) {
  StartAdmin();
  TestClient old(address());
  ASSERT_EQ(old.Connect("old"), 0);
  mqtt::Connect packet;
  packet.version = mqtt::Version::k5;
  packet.client_id = "new";
  TestClient client(address());
  ASSERT_EQ(client.Connect(packet), 0);
  const std::string order = R"({"within": "100ms", "useServer": "other:1883", "end": false})";
  EXPECT_EQ(Ask("POST", "/api/v1/drain", order).first, 202);
  EXPECT_EQ(Ask("POST", "/api/v1/drain", order).first, 409);
  const std::optional<mqtt::Frame> frame = client.Receive();
  ASSERT_TRUE(frame);
  const auto said = mqtt::DecodeDisconnect(*frame, mqtt::Version::k5);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->reason, mqtt::Reason::kUseAnotherServer);
  EXPECT_EQ(said->properties.Text(mqtt::Property::kServerReference), "other:1883");
  EXPECT_TRUE(old.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kConnections, 0));
  EXPECT_TRUE(Eventually([&] {
    const Result<UniqueFd> fd = StartConnectTcp(address());
    return !fd || SocketError(fd->get()) == ECONNREFUSED;
  }));
}

TEST_F(Admin, AnswersBadRequestsWithWhatIsWrong) {
  StartAdmin();
  const auto fault = [&](const std::string& method, const std::string& path,
                         const std::string& body = "") {
    const auto [status, reply] = Ask(method, path, body);
    return fmt::format("{} {}", status, std::string(reply["error"]));
  };
  EXPECT_THAT(fault("GET", "/api/v1/clients?limit=0"), HasSubstr("400 limit: \"0\" is not"));
  EXPECT_THAT(fault("GET", "/api/v1/clients?limit=1001"), HasSubstr("400 limit"));
  EXPECT_THAT(fault("GET", "/api/v1/clients?limit=-1"), HasSubstr("400 limit"));
  EXPECT_THAT(fault("GET", "/api/v1/clients?limit=%FF"), HasSubstr("400 limit"));
  EXPECT_THAT(fault("GET", "/api/v1/clients/%FF"), HasSubstr("404"));
  EXPECT_THAT(fault("GET", "/api/v1/clients?connected=yes"), HasSubstr("400 connected"));
  EXPECT_THAT(fault("GET", "/api/v1/clients?protocol=4"), HasSubstr("400 protocol"));
  EXPECT_THAT(fault("GET", "/api/v1/clients?nme=x"), HasSubstr("400 \"nme\" is none of"));
  EXPECT_THAT(fault("POST", "/api/v1/clients"), HasSubstr("405"));
  EXPECT_THAT(fault("PUT", "/api/v1/clients/a"), HasSubstr("405 use GET, DELETE"));
  EXPECT_THAT(fault("GET", "/api/v1/drain"), HasSubstr("405"));
  EXPECT_THAT(fault("GET", "/api/v2"), HasSubstr("404"));
  EXPECT_THAT(fault("GET", "/api/v1/clients/"), HasSubstr("404"));
  EXPECT_THAT(fault("POST", "/api/v1/drain", "[]"), HasSubstr("400 the body"));
  EXPECT_THAT(fault("POST", "/api/v1/drain", R"({"within": "x"})"), HasSubstr("400 within"));
  EXPECT_THAT(fault("POST", "/api/v1/drain", R"({"within": "2h"})"), HasSubstr("400 within"));
  EXPECT_THAT(fault("POST", "/api/v1/drain", R"({"now": true})"), HasSubstr("400 \"now\""));
}

TEST_F(Admin, ReadsItsTokenAgainOnAReload) {
  const std::string path = folder_ / "token";
  ASSERT_TRUE(WriteFileAtomic(path, "first-token-of-the-day\n", 0600));
  const std::string toml = "[admin]\nlisten = '127.0.0.1:0'\ntoken_file = '" + path + "'\n";
  StartWith(toml);
  token_ = "first-token-of-the-day";
  EXPECT_EQ(Ask("GET", "/api/v1/clients").first, 200);
  ASSERT_TRUE(WriteFileAtomic(path, "second-token-of-the-day\n", 0600));
  ASSERT_TRUE(Reload(toml));
  EXPECT_EQ(Ask("GET", "/api/v1/clients").first, 401);
  token_ = "second-token-of-the-day";
  EXPECT_EQ(Ask("GET", "/api/v1/clients").first, 200);
  ASSERT_TRUE(WriteFileAtomic(path, "short", 0600));
  EXPECT_THAT(Reload(toml).error().message, HasSubstr("server.toml:3:14: token_file: " + path));
  ASSERT_EQ(chmod(path.c_str(), 0604), 0);
  EXPECT_THAT(Reload(toml).error().message, HasSubstr("chmod 0600"));
  EXPECT_EQ(Ask("GET", "/api/v1/clients").first, 200);
}

}  // namespace
}  // namespace atalaya::cloud_server
