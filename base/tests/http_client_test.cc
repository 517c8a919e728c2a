#include "base/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/tests/scripted_server.h"

namespace atalaya {
namespace {

using testing::HasSubstr;

// Answers every request on a connection with `reply`, and keeps what it saw.
class HttpBench {
 public:
  explicit HttpBench(std::string reply)
      : reply_(std::move(reply)), server_([this](ScriptedPeer& peer) { Serve(peer); }) {}

  std::string Url(const std::string& path = "/") { return "http://" + server_.address() + path; }
  std::string address() const { return server_.address(); }
  int connections() const { return server_.connections(); }
  const std::string& last_head() const { return last_head_; }  // Once the reply is there.
  const std::string& last_body() const { return last_body_; }

 private:
  void Serve(ScriptedPeer& peer) {
    std::string head;
    while (peer.ReadTo("\r\n\r\n", &head)) {
      last_head_ = head;
      last_body_.clear();
      const std::size_t at = head.find("Content-Length: ");
      if (at != std::string::npos) peer.ReadBytes(std::stoul(head.substr(at + 16)), &last_body_);
      if (reply_.empty()) return peer.WaitForEnd();
      peer.Send(reply_);
    }
  }

  std::string reply_;
  std::string last_head_;
  std::string last_body_;
  ScriptedServer server_;  // Last: its thread uses the others.
};

TEST(HttpClient, ReturnsStatusHeadersAndBodyOfAnyReply) {
  HttpBench bench(
      "HTTP/1.1 404 Not Found\r\nX-Thing:  Some Value \r\nContent-Length: 5\r\n\r\nnope!");
  HttpClient client;
  const auto reply = client.SendAndWait({.url = bench.Url("/a?b=c")});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 404);
  EXPECT_EQ(reply->body, "nope!");
  EXPECT_EQ(reply->headers.at("x-thing"), "Some Value");
  EXPECT_GT(reply->duration.count(), 0);
  EXPECT_THAT(bench.last_head(), HasSubstr("GET /a?b=c HTTP/1.1\r\n"));
}

TEST(HttpClient, SendsMethodBodyAndHeadersAsGiven) {
  HttpBench bench("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  HttpClient client;
  const std::string body = std::string("{\"a\":\0}", 7) + std::string(5000, 'x');
  const auto reply = client.SendAndWait({.method = "POST",
                                         .url = bench.Url(),
                                         .body = body,
                                         .headers = {{"Content-Type", "application/json"}},
                                         .username = "ops",
                                         .password = "secret"});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(bench.last_body(), body);
  EXPECT_THAT(bench.last_head(), HasSubstr("POST / HTTP/1.1\r\n"));
  EXPECT_THAT(bench.last_head(), HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(bench.last_head(), HasSubstr("Authorization: Basic b3BzOnNlY3JldA==\r\n"));
  EXPECT_THAT(bench.last_head(), testing::Not(HasSubstr("Expect")));
}

TEST(HttpClient, ReusesTheConnection) {
  HttpBench bench("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  HttpClient client;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.SendAndWait({.url = bench.Url(), .bearer_token = "t0ken"}));
  }
  EXPECT_EQ(bench.connections(), 1);
  EXPECT_THAT(bench.last_head(), HasSubstr("Authorization: Bearer t0ken\r\n"));
}

TEST(HttpClient, DoesNotFollowRedirects) {
  HttpBench bench(
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
  HttpClient client;
  const auto reply = client.SendAndWait({.url = bench.Url()});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 302);
}

TEST(HttpClient, EndsAtTheDeadline) {
  HttpBench bench("");
  HttpClient client;
  const auto reply =
      client.SendAndWait({.url = bench.Url("/secret"), .timeout = std::chrono::milliseconds(50)});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kTimeout);
  EXPECT_EQ(reply.error().message,
            "http://" + bench.address() + ": no complete reply within 50 ms");
}

TEST(HttpClient, RefusesALongBody) {
  HttpBench bench("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world");
  HttpClient client;
  const auto reply = client.SendAndWait({.url = bench.Url(), .body_limit_bytes = 10});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kLimit);
  EXPECT_TRUE(client.SendAndWait({.url = bench.Url(), .body_limit_bytes = 11}));
}

// Two replies that do not end; there is memory for either, but not for both.
TEST(HttpTransfers, BoundsTheBodiesOfAllRepliesTogether) {
  const auto script = [](ScriptedPeer& peer) {
    std::string head;
    if (!peer.ReadTo("\r\n\r\n", &head)) return;
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(70'000, 'x'));
    peer.WaitForEnd();
  };
  ScriptedServer one(script);
  ScriptedServer other(script);
  const Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  ASSERT_TRUE(loop);
  std::vector<Error> ended;
  {
    HttpTransfers client(**loop, {.body_bytes = 139'999});
    for (const ScriptedServer* server : {&one, &other}) {
      client.Send({.url = "http://" + server->address()},
                  [&](const Result<HttpClientReply>& reply) {
                    ended.push_back(reply ? Error{ErrorCode::kNotFound, "ended"} : reply.error());
                    (*loop)->Stop();
                  });
    }
    (*loop)->Run();
  }
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0].code, ErrorCode::kBusy) << ended[0].message;
  EXPECT_THAT(ended[0].message, HasSubstr("all replies under way together may take 139999 bytes"));
  EXPECT_EQ(ended[1].code, ErrorCode::kIo) << ended[1].message;  // Closed with the client.
}

TEST(HttpClient, NamesTheHostThatRefuses) {
  std::string address;
  {
    const Result<UniqueFd> closed = ListenTcp({"127.0.0.1", 0});
    address = LocalAddress(closed->get())->ToString();
  }
  HttpClient client;
  const auto reply = client.SendAndWait({.url = "http://user:pass@" + address + "/secret"});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kIo);
  EXPECT_THAT(reply.error().message, HasSubstr("http://" + address));
  EXPECT_THAT(reply.error().message, testing::Not(HasSubstr("secret")));
  EXPECT_THAT(reply.error().message, testing::Not(HasSubstr("pass")));
}

TEST(HttpClient, RefusesOtherSchemesAndLineBreaks) {
  HttpClient client;
  EXPECT_EQ(client.SendAndWait({.url = "file:///etc/hostname"}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(client.SendAndWait({.url = "http://127.0.0.1:1/", .headers = {{"A", "b\r\nC: d"}}})
                .error()
                .code,
            ErrorCode::kInvalid);
}

TEST(HttpClient, EndsWhatIsSentAgainWhenDestroyed) {
  HttpBench bench("");
  std::promise<Result<HttpClientReply>> again;
  {
    HttpClient client;
    client.Send({.url = bench.Url()}, [&](const Result<HttpClientReply>&) {
      client.Send({.url = bench.Url()},
                  [&](Result<HttpClientReply> reply) { again.set_value(std::move(reply)); });
    });
  }
  auto ended = again.get_future();
  ASSERT_EQ(ended.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(ended.get().error().code, ErrorCode::kIo);
}

TEST(HttpClient, EndsRequestsUnderWayWhenDestroyed) {
  std::promise<void> asked;
  ScriptedServer server([&](ScriptedPeer& peer) {
    std::string head;
    peer.ReadTo("\r\n\r\n", &head);
    asked.set_value();
    peer.WaitForEnd();
  });
  auto client = std::make_unique<HttpClient>();
  std::promise<Result<HttpClientReply>> ended;
  client->Send({.url = "http://" + server.address() + "/"},
               [&](Result<HttpClientReply> reply) { ended.set_value(std::move(reply)); });
  ASSERT_EQ(asked.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  client.reset();
  auto future = ended.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(future.get().error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace atalaya
