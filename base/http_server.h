#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/net.h"
#include "base/result.h"

namespace atalaya {

struct HttpRequest {
  std::string method;                          // "GET", "HEAD", "POST" ...
  std::string path;                            // Decoded; always begins with '/'.
  std::string query;                           // Raw, without '?'.
  std::string body;                            // At most HttpServerOptions::body_limit_bytes.
  std::string peer;                            // "127.0.0.1:40312"
  std::map<std::string, std::string> headers;  // Names in lower case.

  // Whether the client has hung up since, for an answer that takes long; empty where that is
  // unknown. For the thread that runs the handler.
  std::function<bool()> client_left;

  std::string Header(std::string_view lower_case_name) const;  // "" where absent.
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>>
      headers;  // Besides Content-Type, Content-Length and Date.
};

// Decoded pairs of `a=1&b=2`, in order; for the query and for form bodies. Bad escapes are kept as
// written.
std::vector<std::pair<std::string, std::string>> ParseForm(std::string_view encoded);

// How much `accept_encoding` or `accept` (as sent) wants `name`: 0 to 1, RFC 9110 section 12.5;
// wildcards count.
double AcceptQuality(std::string_view header, std::string_view name);

struct HttpServerOptions {
  std::vector<HostPort> listen;  // IPv4 only: Debian's CivetWeb has no IPv6. Port 0 is allowed.
  int threads = 32;  // Connections served at once; further ones wait in the accept queue.
  int request_timeout_ms = 2000;  // A client that is slower to send its request is closed.
  std::size_t body_limit_bytes = 1u << 20;  // Larger bodies get 413.
  // Told the status (400 to 499) of what is refused before a handler sees it: a request that is no
  // HTTP, or whose body is too large or too slow. Called on the threads of the server.
  std::function<void(int status)> on_refused;
};

// Serves HTTP/1.1 with keep-alive through CivetWeb. The handler runs on threads of the server with
// a stack of the usual size, several at once; it must not throw and should answer within a second.
// HEAD is answered by the GET handler with the body left out. `gzip` content is the handler's own
// business (base/gzip.h).
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // Listens and serves at once. kBusy names the port and its holder (see ListenTcp), kInvalid an
  // IPv6 address.
  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                   Handler handler);

  ~HttpServer();  // Waits for requests in progress; may take 2 s.
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::vector<HostPort>& addresses() const;  // The real ones, after port 0.

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya
