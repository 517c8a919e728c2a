#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <string>
#include <thread>

#include "base/check.h"
#include "exporter/app.h"

namespace atalaya::exporter {

struct Reply {
  int status = 0;  // 0: the connection ended without an answer.
  std::map<std::string, std::string> headers;
  std::string body;
};

// The whole exporter with collectors of a test's own, and a client that talks to it over loopback.
class ScrapeBench {
 public:
  explicit ScrapeBench(std::vector<NamedCollector> collectors,
                       const GatherOptions& gathering = {}) {
    Options options;
    options.listen = {{"127.0.0.1", 0}};
    Result<std::unique_ptr<App>> app = App::Create(options, std::move(collectors), gathering);
    ATALAYA_CHECK(app.has_value());
    app_ = std::move(*app);
  }

  UniqueFd Connect() const {
    Result<UniqueFd> fd = StartConnectTcp(app_->addresses().front());
    ATALAYA_CHECK(fd.has_value());
    const timeval patience{20, 0};
    setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SetBlocking(fd->get());
    return std::move(*fd);
  }

  static void Send(const UniqueFd& fd, std::string_view text) {
    ATALAYA_CHECK(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                  static_cast<ssize_t>(text.size()));
  }

  // Reads one answer; `unread` keeps what follows it.
  static Reply Receive(const UniqueFd& fd, std::string& unread, bool head = false) {
    std::size_t end = std::string::npos;
    while ((end = unread.find("\r\n\r\n")) == std::string::npos) {
      if (!ReceiveMore(fd, unread)) return {};
    }
    Reply reply;
    std::string_view lines = std::string_view(unread).substr(0, end + 2);
    reply.status = ParseNumber<int>(TakeLine(lines).substr(9, 3)).value_or(-1);
    while (!lines.empty()) {
      const std::string_view line = TrimSpace(TakeLine(lines));
      const std::size_t colon = line.find(':');
      reply.headers[std::string(line.substr(0, colon))] = TrimSpace(line.substr(colon + 1));
    }
    unread.erase(0, end + 4);
    const std::size_t length = std::stoul("0" + reply.headers["Content-Length"]);
    while (!head && unread.size() < length && ReceiveMore(fd, unread)) {
    }
    reply.body = head ? "" : unread.substr(0, length);
    if (!head) unread.erase(0, length);
    return reply;
  }

  Reply Ask(const std::string& method, const std::string& target,
            const std::string& headers = "") const {
    const UniqueFd fd = Connect();
    Send(fd, method + " " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
    std::string unread;
    return Receive(fd, unread, method == "HEAD");
  }
  Reply Get(const std::string& target, const std::string& headers = "") const {
    return Ask("GET", target, headers);
  }

 private:
  static bool ReceiveMore(const UniqueFd& fd, std::string& unread) {
    char buffer[4096];
    const ssize_t got = recv(fd.get(), buffer, sizeof buffer, 0);
    if (got > 0) unread.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }
  static void SetBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK); }

  std::unique_ptr<App> app_;
};

}  // namespace atalaya::exporter
