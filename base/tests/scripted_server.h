#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/net.h"

namespace atalaya {

// One accepted connection, in the hands of a test's script. Reads end (return false) after 10 s
// or when the client goes away.
class ScriptedPeer {
 public:
  explicit ScriptedPeer(UniqueFd fd) : fd_(std::move(fd)) {
    const timeval patience{10, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  void Send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // Takes everything up to and including `end`.
  bool ReadTo(std::string_view end, std::string* text) {
    std::size_t at = 0;
    while ((at = read_.find(end)) == std::string::npos) {
      if (!ReadMore()) return false;
    }
    *text = read_.substr(0, at + end.size());
    read_.erase(0, at + end.size());
    return true;
  }

  bool ReadBytes(std::size_t count, std::string* text) {
    while (read_.size() < count) {
      if (!ReadMore()) return false;
    }
    *text = read_.substr(0, count);
    read_.erase(0, count);
    return true;
  }

  void WaitForEnd() {
    while (ReadMore()) {
    }
  }

 private:
  bool ReadMore() {
    char buffer[4096];
    const ssize_t got = read(fd_.get(), buffer, sizeof buffer);
    if (got > 0) read_.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }

  UniqueFd fd_;
  std::string read_;
};

// Listens on a loopback port of the kernel's choice and runs `script` for each connection, one
// after the other, on one thread.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::function<void(ScriptedPeer&)> script) : script_(std::move(script)) {
    Result<UniqueFd> listener = ListenTcp({"127.0.0.1", 0});
    ATALAYA_CHECK(listener);
    listener_ = std::move(*listener);
    address_ = *LocalAddress(listener_.get());
    thread_ = std::thread([this] { Serve(); });
  }

  ~ScriptedServer() {
    stopping_ = true;
    shutdown(listener_.get(), SHUT_RDWR);  // Ends the poll below.
    thread_.join();
  }

  std::string address() const { return address_.ToString(); }
  int connections() const { return connections_; }

 private:
  void Serve() {
    const int flags = fcntl(listener_.get(), F_GETFL);
    fcntl(listener_.get(), F_SETFL, flags & ~O_NONBLOCK);
    while (!stopping_) {
      UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) continue;
      ++connections_;
      ScriptedPeer peer(std::move(fd));
      script_(peer);
    }
  }

  std::function<void(ScriptedPeer&)> script_;
  UniqueFd listener_;
  HostPort address_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace atalaya
