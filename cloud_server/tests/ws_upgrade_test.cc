#include "cloud_server/ws_upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloud_server/tests/ws_client.h"

namespace atalaya::cloud_server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string Replaced(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

TEST(WsUpgrade, AnswersAsTheStandardsExample) {
  const std::string request = UpgradeRequest();
  const Upgrade upgrade = AnswerUpgrade(request + "frames", {});
  EXPECT_TRUE(upgrade.accepted);
  EXPECT_EQ(upgrade.head_bytes, request.size());
  EXPECT_THAT(upgrade.reply, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  // RFC 6455, section 1.3.
  EXPECT_THAT(upgrade.reply,
              HasSubstr("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_THAT(upgrade.reply, HasSubstr("\r\nSec-WebSocket-Protocol: mqtt\r\n"));
}

TEST(WsUpgrade, WaitsForTheWholeHead) {
  const std::string request = UpgradeRequest();
  for (std::size_t size = 0; size < request.size(); ++size) {
    ASSERT_EQ(AnswerUpgrade(std::string_view(request).substr(0, size), {}).head_bytes, 0u) << size;
  }
}

TEST(WsUpgrade, ChoosesTheSubprotocol) {
  EXPECT_THAT(AnswerUpgrade(UpgradeRequest("", "mqttv3.1"), {}).reply,
              HasSubstr("Sec-WebSocket-Protocol: mqttv3.1\r\n"));
  EXPECT_THAT(AnswerUpgrade(UpgradeRequest("", "chat, mqttv3.1 ,mqtt"), {}).reply,
              HasSubstr("Sec-WebSocket-Protocol: mqtt\r\n"));
  EXPECT_THAT(AnswerUpgrade(UpgradeRequest("Sec-WebSocket-Protocol: mqtt\r\n", "chat"), {}).reply,
              HasSubstr("Sec-WebSocket-Protocol: mqtt\r\n"))
      << "a header that comes twice is one list";
  EXPECT_THAT(AnswerUpgrade(UpgradeRequest("", "chat, MQTT"), {}).reply,
              StartsWith("HTTP/1.1 400 "));
}

TEST(WsUpgrade, SaysWhatIsWrong) {
  const std::string good = UpgradeRequest();
  const struct {
    std::string request;
    const char* reply;
  } cases[] = {
      {Replaced(good, "GET", "PUT"), "HTTP/1.1 400 Bad Request\r\n"},
      {Replaced(good, "HTTP/1.1", "HTTP/1.0"), "HTTP/1.1 400 Bad Request\r\n"},
      {Replaced(good, "/mqtt", ""), "HTTP/1.1 400 Bad Request\r\n"},
      {Replaced(good, "Host: 127.0.0.1:8083\r\n", ""), "HTTP/1.1 400 Bad Request\r\n"},
      {Replaced(good, "Upgrade: websocket\r\n", ""), "HTTP/1.1 426 Upgrade Required\r\n"},
      {Replaced(good, "keep-alive, Upgrade", "keep-alive"), "HTTP/1.1 426 Upgrade Required\r\n"},
      {Replaced(good, ": 13", ": 8"), "HTTP/1.1 426 Upgrade Required\r\n"},
      {Replaced(good, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBs"), "HTTP/1.1 400 Bad Request\r\n"},
      {Replaced(good, "Host: ", " folded: "), "HTTP/1.1 400 Bad Request\r\n"},
      {Replaced(good, "Host: ", "Ho\x01st: "), "HTTP/1.1 400 Bad Request\r\n"},
  };
  for (const auto& one : cases) {
    const Upgrade upgrade = AnswerUpgrade(one.request, {});
    EXPECT_FALSE(upgrade.accepted) << one.request;
    EXPECT_THAT(upgrade.reply, StartsWith(one.reply)) << one.request;
  }
  EXPECT_THAT(AnswerUpgrade(cases[6].request, {}).reply,
              HasSubstr("Sec-WebSocket-Version: 13\r\n"));
}

TEST(WsUpgrade, RefusesAtOnceWhatIsNoRequest) {
  EXPECT_THAT(AnswerUpgrade("\x10\x0c", {}).reply, StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(AnswerUpgrade("GE", {}).head_bytes, 0u);
}

TEST(WsUpgrade, BoundsTheHead) {
  std::string request = UpgradeRequest();
  request.insert(request.size() - 2,
                 "X: " + std::string(kUpgradeHeadBytes - request.size() - 5, 'x') + "\r\n");
  ASSERT_EQ(request.size(), kUpgradeHeadBytes);
  EXPECT_TRUE(AnswerUpgrade(request, {}).accepted);
  request.insert(request.size() - 4, "x");
  EXPECT_THAT(AnswerUpgrade(request, {}).reply, StartsWith("HTTP/1.1 431 "));
}

TEST(WsUpgrade, LetsPagesInByTheirOrigin) {
  const auto from = [](const char* origin, const OriginRule& rule, const char* host = "127.0.0.1") {
    const std::string request =
        Replaced(UpgradeRequest(fmt::format("Origin: {}\r\n", origin)), "127.0.0.1", host);
    return AnswerUpgrade(request, rule).accepted;
  };
  EXPECT_TRUE(from("http://127.0.0.1:9480", {})) << "the same host, another port";
  EXPECT_TRUE(from("https://localhost", {}, "localhost"));
  EXPECT_TRUE(from("http://[::1]:9480", {}, "[::1]"));
  EXPECT_TRUE(from("https://::1:8083", {}, "::1")) << "as paho writes it";
  EXPECT_FALSE(from("https://elsewhere.example", {}));
  EXPECT_FALSE(from("https://elsewhere.example", {}, "elsewhere.example"))
      << "a name of somebody else's that leads here";
  EXPECT_FALSE(from("null", {}));
  const OriginRule dash{{"https://dash.example.org"}};
  EXPECT_TRUE(from("https://dash.example.org", dash, "broker.example.org"));
  EXPECT_FALSE(from("http://127.0.0.1:9480", dash)) << "only those that are named";
  EXPECT_TRUE(from("https://elsewhere.example", OriginRule{{"*"}}));
}

}  // namespace
}  // namespace atalaya::cloud_server
