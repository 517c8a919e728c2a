#include "base/http_server.h"

#include <civetweb.h>

#include <algorithm>
#include <cctype>
#include <ctime>

#include "base/clock.h"
#include "base/hang_up.h"
#include "base/log.h"
#include "base/task_pool.h"

namespace atalaya {
namespace {

constexpr char kKeepAliveTimeoutMs[] = "5000";  // An idle connection holds a thread for so long.
constexpr char kListenBacklog[] = "512";
constexpr std::size_t kReadChunkBytes = 64u << 10;
constexpr std::int64_t kBodyDeadlineNs = 10'000'000'000;  // A body that drips in slower gets 408.
constexpr int kMaxListeners = 16;

// CivetWeb counts its users itself, and the last one out cleans up.
class Library {
 public:
  Library() { mg_init_library(MG_FEATURES_DEFAULT); }
  ~Library() { mg_exit_library(); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

void AppendDate(std::string& head) {
  // Not FormatRfc3339: RFC 9110 section 5.6.7 has its own form.
  const time_t now = static_cast<time_t>(SystemClock().NowMs() / 1000);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  head.append(text,
              std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts));
}

bool WantsKeepAlive(const HttpRequest& request, const mg_request_info& info) {
  const std::string connection = LowerCase(request.Header("connection"));
  if (connection.find("close") != std::string::npos) return false;
  return connection.find("keep-alive") != std::string::npos ||
         std::string_view(info.http_version) == "1.1";
}

HttpResponse PlainError(int status) {
  HttpResponse response;
  response.status = status;
  response.body = "error\n";
  if (status == 413) response.body = "the request body is larger than this server takes\n";
  if (status == 408) response.body = "the request body did not arrive in time\n";
  return response;
}

bool HasBody(int status) { return status >= 200 && status != 204 && status != 304; }

constexpr std::size_t kLargeBodyBytes = 64u << 10;

// Writes head and body at once, as a second segment would cost a second system call; a large body,
// which would cost more to copy, by itself.
void Send(mg_connection* connection, const HttpResponse& response, bool head_only,
          bool keep_alive) {
  thread_local std::string out;
  out.clear();
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status,
                 mg_get_response_code_text(connection, response.status));
  AppendDate(out);
  if (HasBody(response.status)) {
    fmt::format_to(std::back_inserter(out), "Content-Type: {}\r\nContent-Length: {}\r\n",
                   response.content_type, response.body.size());
  }
  for (const auto& [name, value] : response.headers) {
    fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
  }
  out += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  const bool body = !head_only && HasBody(response.status);
  const bool large = body && response.body.size() > kLargeBodyBytes;
  if (body && !large) out += response.body;
  mg_write(connection, out.data(), out.size());
  if (large) mg_write(connection, response.body.data(), response.body.size());
}

HttpRequest ToRequest(const mg_request_info& info) {
  HttpRequest request;
  request.method = info.request_method;
  request.path = info.local_uri == nullptr ? "/" : info.local_uri;
  if (info.query_string != nullptr) request.query = info.query_string;
  request.peer = fmt::format("{}:{}", info.remote_addr, info.remote_port);
  for (int i = 0; i < info.num_headers; ++i) {
    const mg_header& header = info.http_headers[i];
    std::string& value = request.headers[LowerCase(header.name)];
    if (!value.empty()) value += ", ";  // RFC 9110 section 5.3: repeated fields are one list.
    value += header.value;
  }
  return request;
}

// Reads the body into `request`; the status of an error, or 0.
int ReadBody(mg_connection* connection, const mg_request_info& info, std::size_t limit_bytes,
             HttpRequest& request) {
  const bool chunked = request.headers.contains("transfer-encoding");
  if (info.content_length <= 0 && !chunked) return 0;
  if (info.content_length > 0 && static_cast<std::size_t>(info.content_length) > limit_bytes)
    return 413;
  if (LowerCase(request.Header("expect")) == "100-continue") {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    mg_write(connection, kContinue.data(), kContinue.size());
  }
  const std::int64_t deadline_ns = SystemClock().SteadyNs() + kBodyDeadlineNs;
  std::string& body = request.body;
  while (true) {
    const std::size_t have = body.size();
    body.resize(have + kReadChunkBytes);
    const int got = mg_read(connection, body.data() + have, kReadChunkBytes);
    body.resize(have + static_cast<std::size_t>(std::max(got, 0)));
    if (body.size() > limit_bytes) return 413;
    if (got <= 0) break;
    if (SystemClock().SteadyNs() > deadline_ns) return 408;
  }
  const bool whole = chunked || body.size() == static_cast<std::size_t>(info.content_length);
  return whole ? 0 : 408;
}

}  // namespace

struct HttpServer::Impl {
  ~Impl() {
    if (context != nullptr) mg_stop(context);
  }

  // What CivetWeb calls for each request; what it returns is the status it takes note of.
  static int OnRequest(mg_connection* connection) {
    const mg_request_info& info = *mg_get_request_info(connection);
    return static_cast<Impl*>(info.user_data)->Answer(connection, info);
  }

  // CivetWeb's own complaints are about single connections, so they are no news at the usual level.
  static int OnLogMessage(const mg_connection*, const char* message) {
    LogDebug("http: {}", message);
    return 1;
  }

  // What CivetWeb refuses by itself; 1: it may answer as it wants to.
  static int OnError(mg_connection* connection, int status, const char*) {
    // Not the request's user data, as what is no HTTP is no request.
    static_cast<const Impl*>(mg_get_user_data(mg_get_context(connection)))->Refused(status);
    return 1;
  }

  void Refused(int status) const {
    if (on_refused && status >= 400 && status < 500) on_refused(status);
  }

  int Answer(mg_connection* connection, const mg_request_info& info) {
    HttpRequest request = ToRequest(info);
    bool keep_alive = WantsKeepAlive(request, info);
    const int error = ReadBody(connection, info, body_limit_bytes, request);
    const bool head_only = request.method == "HEAD";
    if (head_only) request.method = "GET";
    if (error != 0) {
      keep_alive = false;
      // Else CivetWeb would first read the rest of what was refused.
      mg_disable_connection_keep_alive(connection);
    }
    HangUpWatch client({info.remote_addr, static_cast<std::uint16_t>(info.remote_port)},
                       static_cast<std::uint16_t>(info.server_port));
    request.client_left = [&client] { return client.HungUp(); };
    HttpResponse response;
    if (error != 0) {
      Refused(error);
      response = PlainError(error);
    } else {
      // Not here: this thread's stack is of 100 KiB.
      handlers->Run([&] { response = handler(request); });
    }
    Send(connection, response, head_only, keep_alive);
    return response.status;
  }

  Library library;
  Handler handler;
  std::unique_ptr<TaskPool> handlers;
  std::size_t body_limit_bytes = 0;
  std::function<void(int)> on_refused;
  std::vector<HostPort> addresses;
  mg_context* context = nullptr;
};

namespace {

// CivetWeb says only that a port could not be had, so each is tried first: the error then names its
// holder. Returns the address with the host as a number.
Result<HostPort> Probe(const HostPort& wanted) {
  const Result<UniqueFd> probe = ListenTcp(wanted);
  if (!probe) return Forward(probe.error());
  Result<HostPort> bound = LocalAddress(probe->get());
  if (!bound) return bound;
  if (bound->host.find(':') != std::string::npos) {
    return Fail(ErrorCode::kInvalid, "cannot listen on {}: HTTP is served over IPv4 only",
                wanted.ToString());
  }
  bound->port = wanted.port;
  return bound;
}

}  // namespace

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

const std::vector<HostPort>& HttpServer::addresses() const { return impl_->addresses; }

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                      Handler handler) {
  if (options.listen.empty() || options.listen.size() > kMaxListeners) {
    return Fail(ErrorCode::kInvalid, "{} addresses to serve HTTP on (1 to {} are possible)",
                options.listen.size(), kMaxListeners);
  }
  auto impl = std::make_unique<Impl>();
  std::string ports;
  for (const HostPort& wanted : options.listen) {
    Result<HostPort> address = Probe(wanted);
    if (!address) return Forward(address.error());
    if (!ports.empty()) ports += ',';
    ports += address->ToString();
    impl->addresses.push_back(std::move(*address));
  }
  impl->handler = std::move(handler);
  impl->handlers = std::make_unique<TaskPool>(static_cast<std::size_t>(options.threads));
  impl->body_limit_bytes = options.body_limit_bytes;
  impl->on_refused = options.on_refused;

  const std::string threads = std::to_string(options.threads);
  const std::string timeout_ms = std::to_string(options.request_timeout_ms);
  const char* settings[] = {
      "listening_ports", ports.c_str(), "num_threads", threads.c_str(), "request_timeout_ms",
      timeout_ms.c_str(), "enable_keep_alive", "yes", "keep_alive_timeout_ms", kKeepAliveTimeoutMs,
      "tcp_nodelay", "1", "listen_backlog", kListenBacklog,
      // CivetWeb's default answers every page's preflight with "*".
      "access_control_allow_origin", "", "access_control_allow_methods", "", nullptr};
  mg_callbacks callbacks{};
  callbacks.begin_request = &Impl::OnRequest;
  callbacks.log_message = &Impl::OnLogMessage;
  callbacks.http_error = &Impl::OnError;
  impl->context = mg_start(&callbacks, impl.get(), settings);
  if (impl->context == nullptr) {
    return Fail(ErrorCode::kIo, "cannot serve HTTP on {}", ports);
  }
  mg_server_port bound[kMaxListeners] = {};
  const int count = mg_get_server_ports(impl->context, kMaxListeners, bound);
  for (int i = 0; i < count && static_cast<std::size_t>(i) < impl->addresses.size(); ++i) {
    impl->addresses[static_cast<std::size_t>(i)].port = static_cast<std::uint16_t>(bound[i].port);
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

}  // namespace atalaya
