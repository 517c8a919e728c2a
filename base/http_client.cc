#include "base/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/curl_init.h"
#include "base/version.h"

namespace atalaya {

void InitCurl() {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  ATALAYA_CHECK(initialized == CURLE_OK);
}

namespace {

constexpr std::size_t kMaxRequests = 1024;      // Waiting and under way together.
constexpr long kMaxConnections = 128;           // At once, to all hosts; further requests wait.
constexpr long kMaxConnectionsPerHost = 8;      // So that one slow host leaves room for others.
constexpr std::size_t kMaxHeaderBytes = 65536;  // Of a reply; a longer one is kLimit.
constexpr int kLongestPollMs = 60'000;

bool HasLineBreak(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

// `https://host:8443` of a URL: enough to name the place, and no secret of its path or user part.
std::string Origin(const std::string& url) {
  std::string origin = "the URL";
  CURLU* parts = curl_url();
  char* scheme = nullptr;
  char* host = nullptr;
  char* port = nullptr;
  if (curl_url_set(parts, CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    origin = fmt::format("{}://{}", scheme, host);
    if (curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK)
      origin += fmt::format(":{}", port);
  }
  curl_free(scheme);
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(parts);
  return origin;
}

struct Transfer {
  HttpClientRequest request;
  HttpClient::Callback callback;
  HttpClientReply reply;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::size_t header_bytes = 0;
  bool too_long = false;
  char error_text[CURL_ERROR_SIZE] = "";

  Transfer(HttpClientRequest the_request, HttpClient::Callback the_callback)
      : request(std::move(the_request)), callback(std::move(the_callback)) {}
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
};

std::size_t OnBody(char* data, std::size_t, std::size_t length, void* target) {
  auto* transfer = static_cast<Transfer*>(target);
  if (length > transfer->request.body_limit_bytes - transfer->reply.body.size()) {
    transfer->too_long = true;
    return CURL_WRITEFUNC_ERROR;
  }
  transfer->reply.body.append(data, length);
  return length;
}

std::size_t OnHeader(char* data, std::size_t, std::size_t length, void* target) {
  auto* transfer = static_cast<Transfer*>(target);
  std::string_view line(data, length);
  transfer->header_bytes += length;
  if (transfer->header_bytes > kMaxHeaderBytes) {
    transfer->too_long = true;
    return CURL_WRITEFUNC_ERROR;
  }
  // A status line begins the headers anew: those before it were of a 1xx reply.
  if (line.starts_with("HTTP/")) transfer->reply.headers.clear();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return length;
  std::string name(line.substr(0, colon));
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  std::string_view value = line.substr(colon + 1);
  const auto first = value.find_first_not_of(" \t");
  const auto last = value.find_last_not_of(" \t\r\n");
  value = first == std::string_view::npos ? "" : value.substr(first, last - first + 1);
  transfer->reply.headers[name] = std::string(value);
  return length;
}

Status CheckRequest(const HttpClientRequest& request) {
  const auto bad = [&](std::string_view what) {
    return Fail(ErrorCode::kInvalid, "{}: {} holds a line break", Origin(request.url), what);
  };
  if (HasLineBreak(request.url)) return bad("the URL");
  if (HasLineBreak(request.method)) return bad("the method");
  if (HasLineBreak(request.bearer_token)) return bad("the bearer token");
  for (const auto& [name, value] : request.headers) {
    if (HasLineBreak(name) || HasLineBreak(value)) return bad("a header");
  }
  return {};
}

void SetHeaders(Transfer* transfer) {
  bool has_content_type = false;
  for (const auto& [name, value] : transfer->request.headers) {
    has_content_type = has_content_type || curl_strequal(name.c_str(), "content-type") != 0;
    // libcurl takes `name;` for a header without a value; `name:` would remove it.
    const std::string line =
        value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value);
    transfer->headers = curl_slist_append(transfer->headers, line.c_str());
  }
  if (!transfer->request.bearer_token.empty()) {
    const std::string line =
        fmt::format("Authorization: Bearer {}", transfer->request.bearer_token);
    transfer->headers = curl_slist_append(transfer->headers, line.c_str());
  }
  // libcurl would call every body a form, and would wait a second for 100 Continue.
  if (!has_content_type) transfer->headers = curl_slist_append(transfer->headers, "Content-Type:");
  transfer->headers = curl_slist_append(transfer->headers, "Expect:");
  curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

void SetMethod(Transfer* transfer) {
  const HttpClientRequest& request = transfer->request;
  if (request.method == "GET" && request.body.empty()) return;
  if (request.method == "HEAD") {
    curl_easy_setopt(transfer->easy, CURLOPT_NOBODY, 1L);
    return;
  }
  curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, request.body.data());
  curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void Prepare(Transfer* transfer) {
  const HttpClientRequest& request = transfer->request;
  CURL* easy = curl_easy_init();
  ATALAYA_CHECK(easy != nullptr);
  transfer->easy = easy;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, fmt::format("atalaya/{}", kVersion).c_str());
  const long timeout_ms = std::max<long>(1, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  if (!request.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
  if (!request.username.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    curl_easy_setopt(easy, CURLOPT_USERNAME, request.username.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, request.password.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  SetHeaders(transfer);
  SetMethod(transfer);
}

Result<HttpClientReply> Outcome(Transfer* transfer, CURLcode code) {
  const std::string origin = Origin(transfer->request.url);
  if (transfer->too_long) {
    return Fail(ErrorCode::kLimit, "{}: the reply is longer than {} bytes", origin,
                transfer->request.body_limit_bytes);
  }
  if (code == CURLE_OK) {
    long status = 0;
    curl_off_t total_us = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &total_us);
    transfer->reply.status = static_cast<int>(status);
    transfer->reply.duration = std::chrono::microseconds(total_us);
    return std::move(transfer->reply);
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Fail(ErrorCode::kTimeout, "{}: no complete reply within {} ms", origin,
                transfer->request.timeout.count());
  }
  const char* text =
      transfer->error_text[0] != '\0' ? transfer->error_text : curl_easy_strerror(code);
  const bool wrong_url = code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT;
  return Fail(wrong_url ? ErrorCode::kInvalid : ErrorCode::kIo, "{}: {}", origin, text);
}

}  // namespace

struct HttpClient::Impl {
  Impl() {
    InitCurl();
    multi = curl_multi_init();
    ATALAYA_CHECK(multi != nullptr);
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, kMaxConnections);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, kMaxConnectionsPerHost);
    thread = std::thread([this] { Run(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    curl_multi_wakeup(multi);
    thread.join();
    curl_multi_cleanup(multi);
  }

  void Run() {
    while (TakePending()) {
      int running = 0;
      curl_multi_perform(multi, &running);
      FinishDone();
      curl_multi_poll(multi, nullptr, 0, kLongestPollMs, nullptr);
    }
    const Error closed{ErrorCode::kIo, "the HTTP client was closed"};
    for (auto& [easy, transfer] : active) {
      curl_multi_remove_handle(multi, easy);
      transfer->callback(tl::unexpected<Error>(closed));
    }
    active.clear();
    for (std::unique_ptr<Transfer>& transfer : TakeQueue()) {
      transfer->callback(tl::unexpected<Error>(closed));
    }
  }

  std::vector<std::unique_ptr<Transfer>> TakeQueue() {
    const std::lock_guard lock(mutex);
    return std::exchange(pending, {});
  }

  // False once the client is to stop.
  bool TakePending() {
    {
      const std::lock_guard lock(mutex);
      if (stopping) return false;
    }
    for (std::unique_ptr<Transfer>& transfer : TakeQueue()) Begin(std::move(transfer));
    return true;
  }

  void Begin(std::unique_ptr<Transfer> transfer) {
    if (Status good = CheckRequest(transfer->request); !good) {
      transfer->callback(Forward(good.error()));
      return;
    }
    if (active.size() >= kMaxRequests) {
      transfer->callback(Fail(ErrorCode::kLimit, "{}: {} HTTP requests are already under way",
                              Origin(transfer->request.url), kMaxRequests));
      return;
    }
    Prepare(transfer.get());
    CURL* easy = transfer->easy;
    active.emplace(easy, std::move(transfer));
    ATALAYA_CHECK(curl_multi_add_handle(multi, easy) == CURLM_OK);
  }

  void FinishDone() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      const CURLcode code = message->data.result;
      auto found = active.find(easy);
      ATALAYA_CHECK(found != active.end());
      const std::unique_ptr<Transfer> transfer = std::move(found->second);
      active.erase(found);
      curl_multi_remove_handle(multi, easy);
      transfer->callback(Outcome(transfer.get(), code));
    }
  }

  CURLM* multi = nullptr;
  std::mutex mutex;
  bool stopping = false;
  std::vector<std::unique_ptr<Transfer>> pending;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> active;  // The thread's own.
  std::thread thread;
};

HttpClient::HttpClient() : impl_(std::make_unique<Impl>()) {}
HttpClient::~HttpClient() = default;

void HttpClient::Send(HttpClientRequest request, Callback callback) {
  auto transfer = std::make_unique<Transfer>(std::move(request), std::move(callback));
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->pending.push_back(std::move(transfer));
  }
  curl_multi_wakeup(impl_->multi);
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
