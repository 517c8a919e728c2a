// Serves pages of metrics on many ports, for `bench/run scrapes`: each port stands for one
// exporter. Says `ready PORT PORT ...`; ends with its standard input.
//
//   scrape_targets TARGETS SERIES
//
// A page is shaped as node_exporter's: families of a few series each with HELP and TYPE, most of
// them counters with two labels. All targets serve the same few versions in turn, made beforehand,
// plain and packed, so that serving them costs little.

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/file.h"
#include "base/gzip.h"
#include "base/net.h"

namespace atalaya::bench {
namespace {

constexpr int kVersions = 16;
constexpr int kSeriesOfFamily = 8;
constexpr std::size_t kMaxRequestBytes = 16u << 10;

template <typename... Args>
[[noreturn]] void Quit(fmt::format_string<Args...> format, Args&&... args) {
  std::fprintf(stderr, "scrape_targets: %s\n",
               fmt::format(format, std::forward<Args>(args)...).c_str());
  std::exit(1);
}

std::string MakePage(int series, int version) {
  std::string page;
  for (int i = 0; i < series; ++i) {
    const int family = i / kSeriesOfFamily;
    if (i % kSeriesOfFamily == 0)
      page += fmt::format(
          "# HELP node_figure_{0}_total What the part number {0} of this machine has done.\n"
          "# TYPE node_figure_{0}_total counter\n",
          family);
    // Of eight series three stand still, three count events and two count seconds.
    const int kind = i % kSeriesOfFamily;
    const std::string value = kind < 3   ? fmt::format("{}", 1000 + i)
                              : kind < 6 ? fmt::format("{}", 1'000'000 + 317 * i + 100 * version)
                                         : fmt::format("{:.2f}", 3.25 * i + 0.37 * version);
    page += fmt::format("node_figure_{}_total{{device=\"disk{}\",mode=\"mode_{}\"}} {}\n", family,
                        kind, i % 3, value);
  }
  return page;
}

std::string MakeReply(const std::string& page, bool gzip) {
  const std::string body = gzip ? GzipCompress(page) : page;
  return fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
      "{}Content-Length: {}\r\n\r\n{}",
      gzip ? "Content-Encoding: gzip\r\n" : "", body.size(), body);
}

struct Replies {
  std::vector<std::string> plain, packed;
};

class Target;

// One scraper's connection.
class Connection : public IoHandler {
 public:
  Connection(Target& target, UniqueFd fd) : target_(target), fd_(std::move(fd)) {}
  void OnIo(std::uint32_t) override;
  int fd() const { return fd_.get(); }

 private:
  void Answer();
  bool Flush();
  Target& target_;
  UniqueFd fd_;
  std::string request_;
  std::string_view unsent_;
};

class Target : public IoHandler {
 public:
  Target(EventLoop& loop, const Replies& replies, std::size_t turn)
      : loop_(loop), replies_(replies), turn_(turn) {
    Result<UniqueFd> listening = ListenTcp({"127.0.0.1", 0});
    if (!listening) Quit("{}", listening.error().message);
    listening_ = std::move(*listening);
    port_ = LocalAddress(listening_.get())->port;
    if (Status added = loop_.Add(listening_.get(), EPOLLIN, this); !added)
      Quit("{}", added.error().message);
  }

  void OnIo(std::uint32_t) override {
    while (true) {
      UniqueFd fd(accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      SetNoDelay(fd.get());
      auto connection = std::make_unique<Connection>(*this, std::move(fd));
      if (!loop_.Add(connection->fd(), EPOLLIN | EPOLLOUT | EPOLLET, connection.get())) return;
      connections_[connection.get()] = std::move(connection);
    }
  }
  void Close(Connection* connection) {
    loop_.Remove(connection->fd(), connection);
    connections_.erase(connection);
  }
  std::string_view NextReply(bool gzip) {
    const std::vector<std::string>& replies = gzip ? replies_.packed : replies_.plain;
    return replies[turn_++ % replies.size()];
  }
  std::uint16_t port() const { return port_; }

 private:
  EventLoop& loop_;
  const Replies& replies_;
  std::size_t turn_;
  UniqueFd listening_;
  std::uint16_t port_ = 0;
  std::map<Connection*, std::unique_ptr<Connection>> connections_;
};

void Connection::OnIo(std::uint32_t) {
  char buffer[4096];
  while (true) {
    const ssize_t got = recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0 || request_.size() > kMaxRequestBytes) return target_.Close(this);
    request_.append(buffer, static_cast<std::size_t>(got));
  }
  if (!Flush()) return;
  Answer();
}

void Connection::Answer() {
  const std::size_t end = request_.find("\r\n\r\n");
  if (end == std::string::npos) return;
  const bool gzip = request_.find("gzip") < end;
  request_.erase(0, end + 4);
  unsent_ = target_.NextReply(gzip);
  Flush();
}

// False where the connection is gone, or full.
bool Connection::Flush() {
  while (!unsent_.empty()) {
    const ssize_t sent = send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return false;
    if (sent < 0) {
      target_.Close(this);
      return false;
    }
    unsent_.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Ends the loop with the standard input.
class Input : public IoHandler {
 public:
  explicit Input(EventLoop& loop) : loop_(loop) {}
  void OnIo(std::uint32_t) override {
    char buffer[64];
    if (read(STDIN_FILENO, buffer, sizeof buffer) <= 0) loop_.Stop();
  }

 private:
  EventLoop& loop_;
};

int Number(const char* text) {
  int number = 0;
  const std::string_view view(text);
  const auto parsed = std::from_chars(view.data(), view.data() + view.size(), number);
  if (parsed.ec != std::errc() || number < 1) Quit("\"{}\" is not a number above 0", text);
  return number;
}

int Serve(int count, int series) {
  RaiseFileLimit();
  Replies replies;
  for (int version = 0; version < kVersions; ++version) {
    const std::string page = MakePage(series, version);
    replies.plain.push_back(MakeReply(page, false));
    replies.packed.push_back(MakeReply(page, true));
  }
  const std::unique_ptr<EventLoop> loop = *EventLoop::Create();
  std::vector<std::unique_ptr<Target>> targets;
  std::string line = "ready";
  for (int i = 0; i < count; ++i) {
    targets.push_back(std::make_unique<Target>(*loop, replies, static_cast<std::size_t>(i)));
    line += fmt::format(" {}", targets.back()->port());
  }
  Input input(*loop);
  if (Status added = loop->Add(STDIN_FILENO, EPOLLIN, &input); !added)
    Quit("standard input: {}", added.error().message);
  std::puts(line.c_str());
  std::fflush(stdout);
  loop->Run();
  return 0;
}

}  // namespace
}  // namespace atalaya::bench

int main(int argc, char** argv) {
  if (argc != 3) atalaya::bench::Quit("usage: scrape_targets TARGETS SERIES");
  return atalaya::bench::Serve(atalaya::bench::Number(argv[1]), atalaya::bench::Number(argv[2]));
}
