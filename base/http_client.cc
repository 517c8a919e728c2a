#include "base/http_client.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"

namespace atalaya {

struct HttpClient::Impl {
  Impl() {
    Result<std::unique_ptr<EventLoop>> made = EventLoop::Create();
    ATALAYA_CHECK(made);
    loop = std::move(*made);
    transfers = std::make_unique<HttpTransfers>(*loop, HttpClientLimits());
    thread = std::thread([this] { loop->Run(); });
  }
  ~Impl() {
    // What the callbacks of its end send again is posted before the stop.
    loop->Post([this] {
      transfers.reset();
      loop->Stop();
    });
    thread.join();
  }

  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<HttpTransfers> transfers;
  std::thread thread;
};

HttpClient::HttpClient() : impl_(std::make_unique<Impl>()) {}
HttpClient::~HttpClient() = default;

void HttpClient::Send(HttpClientRequest request, Callback callback) {
  impl_->loop->Post(
      [impl = impl_.get(), request = std::move(request), callback = std::move(callback)]() mutable {
        if (impl->transfers == nullptr)
          return callback(Fail(ErrorCode::kIo, "the HTTP client was closed"));
        impl->transfers->Send(std::move(request), std::move(callback));
      });
}

Result<HttpClientReply> HttpClient::SendAndWait(HttpClientRequest request) {
  struct Waiter {
    std::mutex mutex;
    std::condition_variable arrived;
    std::unique_ptr<Result<HttpClientReply>> reply;
  };
  auto waiter = std::make_shared<Waiter>();
  Send(std::move(request), [waiter](Result<HttpClientReply> reply) {
    const std::lock_guard lock(waiter->mutex);
    waiter->reply = std::make_unique<Result<HttpClientReply>>(std::move(reply));
    waiter->arrived.notify_one();
  });
  std::unique_lock lock(waiter->mutex);
  waiter->arrived.wait(lock, [&] { return waiter->reply != nullptr; });
  return std::move(*waiter->reply);
}

}  // namespace atalaya
