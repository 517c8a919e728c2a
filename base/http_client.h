#pragma once

#include <memory>

#include "base/http_transfers.h"

namespace atalaya {

// HttpTransfers on an event loop and a thread of its own, for those who have none.
class HttpClient {
 public:
  using Callback = HttpTransfers::Callback;

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
