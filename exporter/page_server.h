#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/http_server.h"
#include "base/net.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace atalaya::exporter {

// Views stay valid until the next answer.
struct PageResponse {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string headers;  // More of them, each ended by "\r\n".
  std::string_view body;
};

// What answers. Both return false where the calling thread has been left behind (Baton::Try): then
// GoOn is called by the thread that carries on, until it returns true.
class PageHandler {
 public:
  virtual ~PageHandler() = default;
  virtual bool Answer(const HttpRequest& request, PageResponse& response) = 0;
  virtual bool GoOn(PageResponse& response) = 0;
};

struct PageServerOptions {
  std::vector<HostPort> listen;
  std::size_t max_connections = 512;  // Beyond, the one that has been idle for longest is closed.
  std::chrono::milliseconds request_timeout{3000};  // For a request that has begun.
  std::chrono::milliseconds idle_timeout{300'000};  // Between two requests.
  std::chrono::milliseconds write_timeout{10'000};  // For a client that takes nothing.
};

inline constexpr std::size_t kMaxRequestBytes = 16u << 10;  // Request line and headers.

// A small HTTP/1.1 server for pages: GET and HEAD, keep-alive, no bodies in requests. It waits for
// all clients at once, so that slow or idle ones hold nobody up.
//
// Threads: the one that carries the baton; WakeUp from any.
class PageServer {
 public:
  // Listens. kBusy names the port and its holder. `handler` must outlive this.
  static Result<std::unique_ptr<PageServer>> Create(const PageServerOptions& options,
                                                    PageHandler* handler);
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  // Waits for clients, and serves those that are ready.
  void Turn();
  void WakeUp();

  const std::vector<HostPort>& addresses() const { return addresses_; }

 private:
  struct Connection;
  PageServer(const PageServerOptions& options, PageHandler* handler);
  Status Listen();
  void Accept(int listener);
  bool OnReadable(Connection& connection);
  bool ServeRequests(Connection& connection);
  void Send(Connection& connection, const PageResponse& response);
  void Flush(Connection& connection);
  void Close(std::uint64_t id);
  void CloseIdlest();
  int CloseLate();

  PageServerOptions options_;
  PageHandler* handler_;
  std::vector<HostPort> addresses_;
  UniqueFd epoll_;
  UniqueFd wake_;
  std::vector<UniqueFd> listeners_;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::uint64_t last_id_ = 0;
  std::uint64_t answering_ = 0;  // The connection whose answer is being made; 0: none.
  std::string head_;
};

}  // namespace atalaya::exporter
