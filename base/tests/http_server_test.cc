#include "base/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <future>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/hang_up.h"

namespace atalaya {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

constexpr int kDeadlineMs = 10'000;

std::unique_ptr<HttpServer> Serve(HttpServer::Handler handler, HttpServerOptions options = {}) {
  options.listen = {{"127.0.0.1", 0}};
  Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(options, std::move(handler));
  EXPECT_TRUE(server) << (server ? "" : server.error().message);
  return server ? std::move(*server) : nullptr;
}

// One raw connection, so that a test sees the bytes.
class Wire {
 public:
  explicit Wire(const HttpServer& server) {
    Result<UniqueFd> fd = StartConnectTcp(server.addresses().front());
    EXPECT_TRUE(fd);
    fd_ = std::move(*fd);
    EXPECT_TRUE(Wait(POLLOUT));
  }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno != EAGAIN || !Wait(POLLOUT)) {
        return;  // The server closed: what it said is read all the same.
      }
    }
  }
  // Head and body of the next response (of which `head_only` has no body), or what came before the
  // connection ended.
  std::string Receive(bool head_only = false) {
    std::size_t head_end = 0;
    while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return std::exchange(buffer_, "");
    }
    std::size_t length = head_end + 4;
    const std::size_t at = buffer_.find("Content-Length: ");
    if (!head_only && at != std::string::npos && at < head_end) {
      std::size_t body = 0;
      std::from_chars(buffer_.data() + at + 16, buffer_.data() + head_end, body);
      length += body;
    }
    while (buffer_.size() < length && Fill()) {
    }
    const std::string response = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return response;
  }
  bool Ended() { return !Fill(); }

 private:
  bool Wait(short events) {
    pollfd poll_fd{fd_.get(), events, 0};
    return poll(&poll_fd, 1, kDeadlineMs) == 1;
  }
  bool Fill() {
    std::array<char, 65536> chunk;
    if (!Wait(POLLIN)) return false;
    const ssize_t got = recv(fd_.get(), chunk.data(), chunk.size(), 0);
    if (got > 0) buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    return got > 0;
  }
  UniqueFd fd_;
  std::string buffer_;
};

HttpResponse Echo(const HttpRequest& request) {
  HttpResponse response;
  response.body = fmt::format("{} {} ?{} x={} [{}]", request.method, request.path, request.query,
                              request.Header("x-test"), request.body);
  return response;
}

TEST(HttpServer, TakesARequestApart) {
  const auto server = Serve(Echo);
  EXPECT_NE(server->addresses().front().port, 0);
  Wire wire(*server);
  wire.Send(
      "POST /a%20b?c=%20d HTTP/1.1\r\nHost: x\r\nX-Test: 1\r\nx-test: 2\r\n"
      "Content-Length: 4\r\n\r\nbody");
  const std::string response = wire.Receive();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
  EXPECT_THAT(response, HasSubstr("\r\n\r\nPOST /a b ?c=%20d x=1, 2 [body]"));
}

TEST(HttpServer, KeepsTheConnectionUnlessAskedToCloseIt) {
  const auto server = Serve(Echo);
  Wire wire(*server);
  for (int i = 0; i < 50; ++i) {
    wire.Send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(wire.Receive(), HasSubstr("Connection: keep-alive\r\n"));
  }
  wire.Send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(wire.Receive(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(wire.Ended());
}

TEST(HttpServer, AnswersHeadWithoutTheBody) {
  const auto server = Serve(Echo);
  Wire wire(*server);
  wire.Send("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(wire.Receive(true), HasSubstr("Content-Length: 14\r\n"));
  wire.Send("GET /y HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(wire.Receive(), StartsWith("HTTP/1.1 200")) << "no body bytes were left over";
}

TEST(HttpServer, RefusesABodyOverTheLimit) {
  HttpServerOptions options;
  options.body_limit_bytes = 1000;
  const auto server = Serve(Echo, options);
  Wire declared(*server);
  declared.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
  EXPECT_THAT(declared.Receive(), StartsWith("HTTP/1.1 413"));
  EXPECT_TRUE(declared.Ended());
  Wire chunked(*server);
  chunked.Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" +
               std::string(1024, 'x') + "\r\n0\r\n\r\n");
  EXPECT_THAT(chunked.Receive(), StartsWith("HTTP/1.1 413"));
  Wire small(*server);
  small.Send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_THAT(small.Receive(), HasSubstr("[abcde]"));
}

TEST(HttpServer, TellsWhatItRefusesByItself) {
  std::mutex mutex;
  std::vector<int> refused;
  HttpServerOptions options;
  options.body_limit_bytes = 10;
  options.on_refused = [&](int status) {
    const std::lock_guard lock(mutex);
    refused.push_back(status);
  };
  const auto server = Serve(Echo, options);
  Wire large(*server);
  large.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
  EXPECT_THAT(large.Receive(), StartsWith("HTTP/1.1 413"));
  Wire garbage(*server);
  garbage.Send("no HTTP\r\n\r\n");
  EXPECT_THAT(garbage.Receive(), HasSubstr(" 400 Bad Request"));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(refused, (std::vector<int>{413, 400}));
}

TEST(HttpServer, InvitesABodyThatWaitsToBeAskedFor) {
  const auto server = Serve(Echo);
  Wire wire(*server);
  wire.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(wire.Receive(), StartsWith("HTTP/1.1 100"));
  wire.Send("ok");
  EXPECT_THAT(wire.Receive(), HasSubstr("[ok]"));
}

TEST(HttpServer, SlowClientsDoNotHoldTheOthers) {
  HttpServerOptions options;
  options.threads = 8;
  options.request_timeout_ms = 500;
  const auto server = Serve(Echo, options);
  std::vector<std::unique_ptr<Wire>> slow;
  for (int i = 0; i < 24; ++i) {
    slow.push_back(std::make_unique<Wire>(*server));
    slow.back()->Send(i % 2 == 0 ? "GET / HT" : "");
  }
  const std::int64_t before_ns = SystemClock().SteadyNs();
  Wire wire(*server);
  wire.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(wire.Receive(), StartsWith("HTTP/1.1 200"));
  EXPECT_LT(SystemClock().SteadyNs() - before_ns, 8'000'000'000);
}

TEST(HttpServer, AddsHeadersAndLeavesOutTheBodyOf304) {
  const auto server = Serve([](const HttpRequest& request) {
    HttpResponse response;
    response.status = request.path == "/same" ? 304 : 404;
    response.headers = {{"ETag", "\"1\""}};
    return response;
  });
  Wire wire(*server);
  wire.Send("GET /same HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string same = wire.Receive();
  EXPECT_THAT(same, StartsWith("HTTP/1.1 304 Not Modified\r\n"));
  EXPECT_THAT(same, HasSubstr("ETag: \"1\"\r\n"));
  EXPECT_THAT(same, Not(HasSubstr("Content-Length")));
  wire.Send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(wire.Receive(), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST(HttpServer, LetsNoForeignPageRead) {
  const auto server = Serve(Echo);
  Wire wire(*server);
  wire.Send(
      "OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: http://other\r\n"
      "Access-Control-Request-Method: POST\r\n\r\n");
  EXPECT_THAT(wire.Receive(), Not(HasSubstr("Access-Control-Allow")));
}

TEST(HttpServer, ClosesOnGarbage) {
  const auto server = Serve(Echo);
  Wire wire(*server);
  wire.Send("\x16\x03\x01 not http at all\r\n\r\n");
  EXPECT_THAT(wire.Receive(), Not(HasSubstr("200 OK")));
  Wire after(*server);
  after.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(after.Receive(), StartsWith("HTTP/1.1 200"));
}

// As deep as a parser or a query evaluator may go; CivetWeb's own threads have 100 KiB.
TEST(HttpServer, HandlersHaveAFullStack) {
  const auto server = Serve([](const HttpRequest&) {
    volatile char deep[1u << 20];
    for (std::size_t i = 0; i < sizeof deep; i += 4096) deep[i] = 'x';
    HttpResponse response;
    response.body = deep[4096];
    return response;
  });
  Wire wire(*server);
  wire.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(wire.Receive(), HasSubstr("\r\n\r\nx"));
}

TEST(HttpServer, TellsAHandlerWhetherItsClientHasLeft) {
  std::promise<bool> first_left;
  std::promise<bool> second_left;
  const auto server = Serve([&](const HttpRequest& request) {
    // Beyond the patience, so that the connection is really looked at.
    const bool leaves = request.path == "/leaves";
    const std::int64_t now_ns = SystemClock().SteadyNs();
    const std::int64_t until_ns =
        now_ns + (leaves ? kDeadlineMs * 1'000'000LL : 2 * kHangUpPatienceNs);
    bool left = false;
    while (!left && SystemClock().SteadyNs() < until_ns) left = request.client_left();
    (leaves ? first_left : second_left).set_value(left);
    return HttpResponse{};
  });
  {
    Wire wire(*server);
    wire.Send("GET /leaves HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_TRUE(first_left.get_future().get());
  Wire wire(*server);
  wire.Send("GET /stays HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(wire.Receive(), StartsWith("HTTP/1.1 200"));
  EXPECT_FALSE(second_left.get_future().get());
}

TEST(HttpServer, APortInUseNamesItsHolder) {
  const auto server = Serve(Echo);
  HttpServerOptions options;
  options.listen = server->addresses();
  const auto refused = HttpServer::Start(options, Echo);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
  EXPECT_THAT(refused.error().message, HasSubstr("in use by base_http_test (pid "));
}

TEST(HttpServer, RefusesIPv6AndServesSeveralAddresses) {
  HttpServerOptions options;
  options.listen = {{"::1", 0}};
  EXPECT_FALSE(HttpServer::Start(options, Echo));
  options.listen = {{"127.0.0.1", 0}, {"127.0.0.2", 0}};
  const auto server = HttpServer::Start(options, Echo);
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_EQ((*server)->addresses()[1].host, "127.0.0.2");
  EXPECT_NE((*server)->addresses()[0].port, (*server)->addresses()[1].port);
}

TEST(ParseForm, DecodesPairsInOrder) {
  EXPECT_THAT(ParseForm("a=1&b=x+y%2Fz&&c&d=%zz%4&a=2"),
              ElementsAre(Pair("a", "1"), Pair("b", "x y/z"), Pair("c", ""), Pair("d", "%zz%4"),
                          Pair("a", "2")));
  EXPECT_TRUE(ParseForm("").empty());
}

TEST(AcceptQuality, FollowsTheMostExactRange) {
  EXPECT_EQ(AcceptQuality("", "gzip"), 0);
  EXPECT_EQ(AcceptQuality("gzip", "gzip"), 1);
  EXPECT_EQ(AcceptQuality("deflate, GZIP;q=0.5", "gzip"), 0.5);
  EXPECT_EQ(AcceptQuality("gzip;q=0, *", "gzip"), 0);
  EXPECT_EQ(AcceptQuality("*;q=0.25", "gzip"), 0.25);
  EXPECT_EQ(AcceptQuality("text/*;q=0.3, */*;q=0.1", "text/plain"), 0.3);
  EXPECT_EQ(AcceptQuality("text/*;q=0.3, */*;q=0.1", "application/json"), 0.1);
  EXPECT_EQ(AcceptQuality("text/plain;q=nonsense", "text/plain"), 0);
  EXPECT_EQ(AcceptQuality("a/b;version=1;q=0.2,a/b;version=2;q=0.7", "a/b"), 0.7);
  EXPECT_EQ(AcceptQuality(";;;,,,q=,", "a/b"), 0);
}

}  // namespace
}  // namespace atalaya
