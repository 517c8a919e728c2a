#include "base/http_transfers.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/curl_init.h"
#include "base/tls.h"
#include "base/version.h"

namespace atalaya {

void InitCurl() {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  ATALAYA_CHECK(initialized == CURLE_OK);
}

namespace {

constexpr std::size_t kMaxSpareHandles = 64;
constexpr long kAuthoritiesKeptS =
    300;  // For connections of their own, each of which asks for them.
constexpr std::size_t kMaxHeaderBytes = 65536;  // Of a reply; a longer one is kLimit.

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

// What the bodies of all replies under way take, and may.
struct BodyBudget {
  std::size_t limit = 0;
  std::size_t used = 0;
};

CURLcode OnTlsContext(CURL*, void* context, void* facts) {
  NoteTlsFacts(static_cast<ssl_ctx_st*>(context), static_cast<TlsFacts*>(facts));
  return CURLE_OK;
}

// "localhost:8443:127.0.0.1,[::1]": what libcurl shall take for an answer of the name server.
std::string ResolveLine(const HttpClientRequest& request) {
  const Result<HostPort> server = ServerOfUrl(request.url);
  if (!server) return "";
  std::string line = fmt::format("{}:{}:", server->host, server->port);
  for (const HostPort& address : request.addresses) {
    if (line.back() != ':') line += ',';
    const bool v6 = address.host.find(':') != std::string::npos;
    line += v6 ? fmt::format("[{}]", address.host) : address.host;
  }
  return line;
}

struct Transfer {
  HttpClientRequest request;
  HttpTransfers::Callback callback;
  HttpClientReply reply;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  BodyBudget& budget;
  std::size_t reply_bytes = 0;  // Of the budget.
  curl_slist* resolved = nullptr;
  std::size_t header_bytes = 0;
  bool too_long = false;
  bool link_local = false;  // Refused for its address.
  bool over_budget = false;
  char error_text[CURL_ERROR_SIZE] = "";

  Transfer(HttpClientRequest the_request, HttpTransfers::Callback the_callback,
           BodyBudget& the_budget)
      : request(std::move(the_request)), callback(std::move(the_callback)), budget(the_budget) {}
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    budget.used -= reply_bytes;
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    curl_slist_free_all(resolved);
  }

  // Makes room in the body, by doubling it; false where the budget has none.
  bool Reserve(std::size_t more) {
    const std::size_t needed = reply.body.size() + more;
    if (needed <= reply_bytes) return true;
    const std::size_t bytes = std::max(needed, 2 * reply_bytes);
    if (bytes - reply_bytes > budget.limit - budget.used) return false;
    reply.body.reserve(bytes);
    budget.used += bytes - std::exchange(reply_bytes, bytes);
    return true;
  }
};

std::size_t OnBody(char* data, std::size_t, std::size_t length, void* target) {
  auto* transfer = static_cast<Transfer*>(target);
  if (length > transfer->request.body_limit_bytes - transfer->reply.body.size()) {
    transfer->too_long = true;
    return CURL_WRITEFUNC_ERROR;
  }
  if (!transfer->Reserve(length)) {
    transfer->over_budget = true;
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

bool IsLinkLocal(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* in4 = reinterpret_cast<const sockaddr_in*>(address);
    return (ntohl(in4->sin_addr.s_addr) >> 16) == 0xa9fe;  // 169.254.0.0/16
  }
  if (address->sa_family != AF_INET6) return false;
  const in6_addr& in6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  return IN6_IS_ADDR_LINKLOCAL(&in6) ||
         (IN6_IS_ADDR_V4MAPPED(&in6) && in6.s6_addr[12] == 169 && in6.s6_addr[13] == 254);
}

curl_socket_t OpenSocket(void* target, curlsocktype, curl_sockaddr* address) {
  auto* transfer = static_cast<Transfer*>(target);
  if (transfer->request.refuse_link_local && IsLinkLocal(&address->addr)) {
    transfer->link_local = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
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

void SetConnection(Transfer* transfer) {
  const HttpClientRequest& request = transfer->request;
  CURL* const easy = transfer->easy;
  if (!request.addresses.empty()) {
    transfer->resolved = curl_slist_append(nullptr, ResolveLine(request).c_str());
    curl_easy_setopt(easy, CURLOPT_RESOLVE, transfer->resolved);
  }
  if (!request.own_connection) return;
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  // The system's authorities take milliseconds to read; libcurl keeps them, but not with a folder.
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, kAuthoritiesKeptS);
  if (request.tls_facts == nullptr) return;
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &OnTlsContext);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, request.tls_facts);
}

// `easy` is fresh, or reset.
void Prepare(Transfer* transfer, CURL* easy) {
  const HttpClientRequest& request = transfer->request;
  transfer->easy = easy;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, request.proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  // A connection that is kept needs no name; and libcurl goes through all it knows at each request.
  curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, fmt::format("atalaya/{}", kVersion).c_str());
  const long timeout_ms = std::max<long>(1, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  if (!request.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
  if (!request.certificate_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, request.certificate_file.c_str());
    curl_easy_setopt(easy, CURLOPT_SSLKEY, request.key_file.c_str());
  }
  if (!request.username.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    curl_easy_setopt(easy, CURLOPT_USERNAME, request.username.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, request.password.c_str());
  }
  if (request.gzip) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  SetHeaders(transfer);
  SetMethod(transfer);
  SetConnection(transfer);
}

std::chrono::microseconds TimeOf(CURL* easy, CURLINFO what) {
  curl_off_t us = 0;
  curl_easy_getinfo(easy, what, &us);
  return std::chrono::microseconds(us);
}

// libcurl's times are all since the beginning.
HttpPhases PhasesOf(CURL* easy) {
  const auto resolved = TimeOf(easy, CURLINFO_NAMELOOKUP_TIME_T);
  const auto connected = TimeOf(easy, CURLINFO_CONNECT_TIME_T);
  const auto secured = TimeOf(easy, CURLINFO_APPCONNECT_TIME_T);  // 0 without TLS.
  const auto first_byte = TimeOf(easy, CURLINFO_STARTTRANSFER_TIME_T);
  const std::chrono::microseconds none{0};
  return {resolved, std::max(connected - resolved, none), std::max(secured - connected, none),
          std::max(first_byte - TimeOf(easy, CURLINFO_PRETRANSFER_TIME_T), none),
          TimeOf(easy, CURLINFO_TOTAL_TIME_T) - first_byte};
}

int VersionOf(CURL* easy) {
  long version = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  switch (version) {
    case CURL_HTTP_VERSION_1_0:
      return 10;
    case CURL_HTTP_VERSION_2_0:
      return 20;
    default:
      return 11;
  }
}

// Fills in what libcurl knows of a reply that has come whole.
void CompleteReply(CURL* easy, HttpClientReply& reply) {
  long status = 0;
  char* redirect = nullptr;
  curl_off_t length = -1;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &redirect);
  curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  reply.status = static_cast<int>(status);
  reply.duration = TimeOf(easy, CURLINFO_TOTAL_TIME_T);
  reply.phases = PhasesOf(easy);
  reply.version = VersionOf(easy);
  reply.content_length = length;
  if (redirect != nullptr) reply.redirect_url = redirect;
}

bool IsTlsFault(CURLcode code) {
  return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
         code == CURLE_SSL_CACERT_BADFILE;
}

Result<HttpClientReply> Outcome(Transfer* transfer, CURLcode code) {
  const std::string origin = Origin(transfer->request.url);
  if (transfer->over_budget) {
    return Fail(ErrorCode::kBusy, "{}: all replies under way together may take {} bytes", origin,
                transfer->budget.limit);
  }
  if (transfer->too_long) {
    return Fail(ErrorCode::kLimit, "{}: the reply is longer than {} bytes", origin,
                transfer->request.body_limit_bytes);
  }
  if (code == CURLE_OK) {
    CompleteReply(transfer->easy, transfer->reply);
    return std::move(transfer->reply);
  }
  if (transfer->link_local)
    return Fail(ErrorCode::kInvalid, "{}: its address is link-local, which is refused", origin);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Fail(ErrorCode::kTimeout, "{}: no complete reply within {} ms", origin,
                transfer->request.timeout.count());
  }
  const char* text =
      transfer->error_text[0] != '\0' ? transfer->error_text : curl_easy_strerror(code);
  const bool wrong_url = code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT;
  return Fail(wrong_url          ? ErrorCode::kInvalid
              : IsTlsFault(code) ? ErrorCode::kRefused
                                 : ErrorCode::kIo,
              "{}: {}", origin, text);
}

}  // namespace

Result<HostPort> ServerOfUrl(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parts(curl_url(), &curl_url_cleanup);
  const auto part = [&](CURLUPart which, unsigned flags) -> std::string {
    char* text = nullptr;
    if (curl_url_get(parts.get(), which, &text, flags) != CURLUE_OK) return "";
    const std::string copy = text;
    curl_free(text);
    return copy;
  };
  const bool parsed = curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK;
  const std::string scheme = parsed ? part(CURLUPART_SCHEME, 0) : "";
  if (scheme != "http" && scheme != "https")
    return Fail(ErrorCode::kInvalid, "\"{}\" is no URL (write http://127.0.0.1:8080/path)", url);
  if (!part(CURLUPART_USER, 0).empty() || !part(CURLUPART_PASSWORD, 0).empty())
    return Fail(ErrorCode::kInvalid, "holds a user; write it as username and password_file");
  std::string host = part(CURLUPART_HOST, 0);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return HostPort{host,
                  static_cast<std::uint16_t>(std::stoi(part(CURLUPART_PORT, CURLU_DEFAULT_PORT)))};
}

struct HttpTransfers::Impl {
  // What libcurl waits for on one descriptor.
  struct Socket : IoHandler {
    Socket(Impl* with, int with_fd) : impl(with), fd(with_fd) {}
    void OnIo(std::uint32_t events) override;
    Impl* impl;
    int fd;
  };

  Impl(EventLoop& with_loop, HttpClientLimits with_limits);
  ~Impl();
  void Begin(HttpClientRequest request, Callback callback);
  void Act(int fd, int events);
  void FinishDone();
  CURL* TakeEasy();
  void KeepEasy(Transfer& transfer);
  static int OnSocket(CURL* easy, curl_socket_t fd, int what, void* self, void* known);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);

  EventLoop& loop;
  const HttpClientLimits limits;
  BodyBudget bodies{limits.body_bytes, 0};
  CURLM* multi = nullptr;
  TimerId timer = 0;
  std::unordered_map<int, std::unique_ptr<Socket>> sockets;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> active;
  std::vector<CURL*> spare;  // Handles to be used again, which is cheaper than new ones.
};

HttpTransfers::Impl::Impl(EventLoop& with_loop, HttpClientLimits with_limits)
    : loop(with_loop), limits(with_limits) {
  InitCurl();
  multi = curl_multi_init();
  ATALAYA_CHECK(multi != nullptr);
  const long connections = static_cast<long>(limits.connections);
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
  curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                    static_cast<long>(limits.connections_per_host));
  // By itself libcurl keeps four for each request that is under way, and closes the rest.
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
}

HttpTransfers::Impl::~Impl() {
  for (const auto& [easy, transfer] : active) curl_multi_remove_handle(multi, easy);
  for (const auto& [easy, transfer] : std::exchange(active, {}))
    transfer->callback(Fail(ErrorCode::kIo, "the HTTP client was closed"));
  for (CURL* easy : spare) curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  loop.CancelTimer(timer);
  for (const auto& [fd, socket] : sockets) loop.Remove(fd, socket.get());
}

void HttpTransfers::Impl::Socket::OnIo(std::uint32_t events) {
  int flags = 0;
  if ((events & (EPOLLIN | EPOLLHUP)) != 0) flags |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) flags |= CURL_CSELECT_OUT;
  if ((events & EPOLLERR) != 0) flags |= CURL_CSELECT_ERR;
  impl->Act(fd, flags);
}

int HttpTransfers::Impl::OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto* impl = static_cast<Impl*>(self);
  const auto known = impl->sockets.find(fd);
  if (what == CURL_POLL_REMOVE) {
    if (known == impl->sockets.end()) return 0;
    impl->loop.Remove(fd, known->second.get());
    impl->sockets.erase(known);
    return 0;
  }
  const std::uint32_t events =
      ((what & CURL_POLL_IN) != 0 ? static_cast<std::uint32_t>(EPOLLIN) : 0u) |
      ((what & CURL_POLL_OUT) != 0 ? static_cast<std::uint32_t>(EPOLLOUT) : 0u);
  if (known != impl->sockets.end()) {
    const Status changed = impl->loop.Modify(fd, events, known->second.get());
    return changed ? 0 : -1;
  }
  auto socket = std::make_unique<Socket>(impl, fd);
  const Status added = impl->loop.Add(fd, events, socket.get());
  impl->sockets[fd] = std::move(socket);
  return added ? 0 : -1;
}

int HttpTransfers::Impl::OnTimer(CURLM*, long timeout_ms, void* self) {
  auto* impl = static_cast<Impl*>(self);
  impl->loop.CancelTimer(impl->timer);
  impl->timer = 0;
  if (timeout_ms < 0) return 0;
  impl->timer = impl->loop.RunAfter(std::chrono::milliseconds(timeout_ms), [impl] {
    impl->timer = 0;
    impl->Act(CURL_SOCKET_TIMEOUT, 0);
  });
  return 0;
}

void HttpTransfers::Impl::Act(int fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi, fd, events, &running);
  FinishDone();
}

CURL* HttpTransfers::Impl::TakeEasy() {
  if (spare.empty()) {
    CURL* easy = curl_easy_init();
    ATALAYA_CHECK(easy != nullptr);
    return easy;
  }
  CURL* easy = spare.back();
  spare.pop_back();
  return easy;
}

void HttpTransfers::Impl::KeepEasy(Transfer& transfer) {
  if (spare.size() >= kMaxSpareHandles) return;
  curl_easy_reset(transfer.easy);
  spare.push_back(std::exchange(transfer.easy, nullptr));
}

void HttpTransfers::Impl::Begin(HttpClientRequest request, Callback callback) {
  if (Status good = CheckRequest(request); !good) return callback(Forward(good.error()));
  if (active.size() >= limits.requests) {
    return callback(Fail(ErrorCode::kLimit, "{}: {} HTTP requests are already under way",
                         Origin(request.url), limits.requests));
  }
  auto transfer = std::make_unique<Transfer>(std::move(request), std::move(callback), bodies);
  CURL* easy = TakeEasy();
  Prepare(transfer.get(), easy);
  active.emplace(easy, std::move(transfer));
  ATALAYA_CHECK(curl_multi_add_handle(multi, easy) == CURLM_OK);
}

void HttpTransfers::Impl::FinishDone() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    const auto found = active.find(easy);
    ATALAYA_CHECK(found != active.end());
    const std::unique_ptr<Transfer> transfer = std::move(found->second);
    active.erase(found);
    curl_multi_remove_handle(multi, easy);
    Result<HttpClientReply> outcome = Outcome(transfer.get(), code);
    KeepEasy(*transfer);
    transfer->callback(std::move(outcome));
  }
}

HttpTransfers::HttpTransfers(EventLoop& loop, HttpClientLimits limits)
    : impl_(std::make_unique<Impl>(loop, limits)) {}
HttpTransfers::~HttpTransfers() = default;

void HttpTransfers::Send(HttpClientRequest request, Callback callback) {
  impl_->Begin(std::move(request), std::move(callback));
}

}  // namespace atalaya
