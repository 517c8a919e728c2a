#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/net.h"
#include "base/result.h"

namespace atalaya {

struct TlsFacts;

struct HttpClientRequest {
  std::string method = "GET";
  std::string url = {};
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string username = {}, password = {};  // Basic auth where `username` is not empty.
  std::string bearer_token = {};
  std::string ca_file = {};                          // "" takes the system's.
  std::string certificate_file = {}, key_file = {};  // The client's own, PEM; "" has none.
  std::string proxy =
      {};  // "http://host:port"; "" connects directly, whatever the environment says.
  bool refuse_link_local = false;  // An address in 169.254.0.0/16 or fe80::/10 is kInvalid.
  std::chrono::milliseconds timeout{10'000};
  std::size_t body_limit_bytes = 16u << 20;  // A longer reply, once unpacked, is kLimit.
  bool gzip = false;                         // Asks for a packed reply; it is unpacked.
  std::vector<HostPort> addresses = {};      // Of the URL's host, in digits; empty: looked up.
  bool own_connection = false;               // Made for this request, and closed after it.
  TlsFacts* tls_facts =
      nullptr;  // With `own_connection`: noted (base/tls.h); outlives the request.
};

// How long each part took. `processing`: from the request to the first byte of the reply.
struct HttpPhases {
  std::chrono::microseconds resolve{0}, connect{0}, tls{0}, processing{0}, transfer{0};
};

struct HttpClientReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;
  std::chrono::microseconds duration{0};
  HttpPhases phases = {};
  int version = 0;                   // Of HTTP, times ten.
  std::int64_t content_length = -1;  // -1: the reply did not say.
  std::string redirect_url = {};     // Absolute; "" where the reply is no redirect.
};

struct HttpClientLimits {
  std::size_t requests = 1'024;          // Waiting and under way together; further ones are kLimit.
  std::size_t connections = 128;         // At once, to all hosts; further requests wait.
  std::size_t connections_per_host = 8;  // So that one slow host leaves room for others.
  // Memory for the bodies of all replies under way; a reply that would take more is kBusy.
  std::size_t body_bytes = std::numeric_limits<std::size_t>::max();
};

// Where the server of an http or https URL is. kInvalid where it is no such URL, or holds a user.
Result<HostPort> ServerOfUrl(const std::string& url);

// Sends requests through libcurl on an event loop, many at once; connections are kept and reused.
// Redirects are not followed. Only http and https. Errors name scheme, host and port only: a path
// may hold a secret. Threads: that of the loop, or any while it does not run.
class HttpTransfers {
 public:
  // Called from the loop; must not block, and may send the next request. A transport failure is
  // kIo, one of TLS kRefused, a deadline kTimeout, a long body kLimit, one for which no memory is left
  // kBusy, a URL or header that is none kInvalid; any status is a reply.
  using Callback = std::function<void(Result<HttpClientReply>)>;

  HttpTransfers(EventLoop& loop, HttpClientLimits limits);  // `loop` must outlive it.
  ~HttpTransfers();  // Requests under way end with kIo before this returns.
  HttpTransfers(const HttpTransfers&) = delete;
  HttpTransfers& operator=(const HttpTransfers&) = delete;

  void Send(HttpClientRequest request, Callback callback);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya
