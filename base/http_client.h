#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace atalaya {

struct HttpClientRequest {
  std::string method = "GET";
  std::string url = {};
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string username = {}, password = {};  // Basic auth where `username` is not empty.
  std::string bearer_token = {};
  std::string ca_file = {};  // "" takes the system's.
  std::chrono::milliseconds timeout{10'000};
  std::size_t body_limit_bytes = 16u << 20;  // A longer reply is kLimit.
};

struct HttpClientReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;
  std::chrono::microseconds duration{0};
};

// Sends requests through libcurl on one thread of its own, many at once; connections are kept and
// reused. Redirects are not followed. Only http and https;
// no proxy, whatever the environment says. Errors name scheme, host and port only: a path may hold
// a secret. At most 1024 requests at once, further ones are kLimit.
class HttpClient {
 public:
  // Called on the client's thread; must not block. A transport failure is kIo, a deadline kTimeout,
  // a long body kLimit, a URL or header that is none kInvalid; any status is a reply.
  using Callback = std::function<void(Result<HttpClientReply>)>;

  HttpClient();
  ~HttpClient();  // Requests under way end with kIo, on the client's thread, before this returns.
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Threads: any; never blocks.
  void Send(HttpClientRequest request, Callback callback);

  // Blocks until the reply or the deadline. Never from a Callback.
  Result<HttpClientReply> SendAndWait(HttpClientRequest request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya
