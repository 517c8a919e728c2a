#include "alertd/api/api.h"

#include <algorithm>

#include "alertd/api/answer.h"
#include "alertd/api/escaped_name.h"
#include "alertd/api/handlers.h"
#include "alertd/api/web_files.h"
#include "base/check.h"

namespace atalaya::alertd {
namespace {

// Nothing but this program's own files may run, load or be sent to.
constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr char kNoPage[] =
    "This cloud_alertd was built without its page (-DWEB_UI=OFF). The API answers as always.\n";

constexpr std::string_view kLabelPrefix = "/api/v1/label/";
constexpr std::string_view kValuesSuffix = "/values";

struct Route {
  std::string_view path;
  HttpResponse (*answer)(const ApiContext&);
};

constexpr Route kRoutes[] = {
    {"/api/v1/query", AnswerQuery},           {"/api/v1/query_range", AnswerQueryRange},
    {"/api/v1/series", AnswerSeries},         {"/api/v1/labels", AnswerLabels},
    {"/api/v1/metadata", AnswerMetadata},     {"/api/v1/status/buildinfo", AnswerBuildInfo},
    {"/api/v1/rules", AnswerRules},           {"/api/v1/alerts", AnswerAlerts},
    {"/api/v1/targets", AnswerTargets},       {"/api/atalaya/status", AnswerStatus},
    {"/api/atalaya/notices", AnswerNotices},  {"/api/atalaya/runs", AnswerRuns},
    {"/api/atalaya/rules", AnswerShownRules},
};

// Those that take a query in the body of a POST, as Grafana sends them.
bool TakesPost(std::string_view path) {
  return path == "/api/v1/query" || path == "/api/v1/query_range" || path == "/api/v1/series" ||
         path == "/api/v1/labels";
}

// The name in "/api/v1/label/NAME/values", or "".
std::string_view LabelName(std::string_view path) {
  if (!path.starts_with(kLabelPrefix) || !path.ends_with(kValuesSuffix)) return {};
  path.remove_prefix(kLabelPrefix.size());
  if (path.size() < kValuesSuffix.size()) return {};
  return path.substr(0, path.size() - kValuesSuffix.size());
}

std::string EtagOf(std::string_view body) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : body) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("\"{:016x}-{:x}\"", hash, body.size());
}

void AddEtag(const HttpRequest& request, HttpResponse& response) {
  if (response.status != 200) return;
  const std::string etag = EtagOf(response.body);
  response.headers.emplace_back("ETag", etag);
  if (request.Header("if-none-match") != etag) return;
  response.status = 304;
  response.body.clear();
}

HttpResponse Ready(const ApiOptions& options, bool stopping) {
  if (stopping) return PlainText(503, "cloud_alertd is stopping\n");
  const Status ready = options.ready ? options.ready() : Status();
  return ready ? PlainText(200, "cloud_alertd is ready\n")
               : PlainText(503, ready.error().message + "\n");
}

HttpResponse AnswerPath(const ApiContext& context, const HttpRequest& request) {
  for (const Route& route : kRoutes) {
    if (route.path == request.path) return route.answer(context);
  }
  if (const auto label = LabelName(request.path); !label.empty()) {
    return AnswerLabelValues(context, UnescapeName(label));
  }
  if (request.path.starts_with(kAlertmanagerPrefix)) return AnswerAlertmanager(context, request);
  if (request.path == "/metrics") return AnswerMetrics(context, request.Header("accept"));
  if (request.path == "/-/healthy") return PlainText(200, "cloud_alertd is healthy\n");
  if (request.path == "/-/ready") return Ready(context.options, context.stopping);
  if (const WebFile* file = FindWebFile(request.path)) {
    return {200, std::string(file->content_type), std::string(file->content), {}};
  }
  if (request.path == "/") return PlainText(404, kNoPage);
  if (request.path.starts_with("/api/")) {
    return ErrorAnswer(404, "not_found", request.path + ": no such address");
  }
  return PlainText(404, request.path + ": no such page\n");
}

constexpr std::string_view kPolled[] = {"/api/v1/alerts", "/api/v1/rules", "/api/v2/alerts",
                                        "/api/v2/silences"};

bool HasEtag(std::string_view path) {
  return path.starts_with("/api/atalaya/") || FindWebFile(path) != nullptr ||
         std::find(std::begin(kPolled), std::end(kPolled), path) != std::end(kPolled);
}

// Whether a program of this machine asks by itself, and no proxy for somebody else.
bool IsLocal(const HttpRequest& request) {
  return request.peer.starts_with("127.") && request.Header("x-forwarded-for").empty() &&
         request.Header("forwarded").empty();
}

// What is answered without the token.
bool IsOpen(const HttpRequest& request) {
  const std::string& path = request.path;
  return path == "/" || path.starts_with("/-/") || FindWebFile(path) != nullptr ||
         (path == "/metrics" && IsLocal(request));
}

HttpResponse MethodNotAllowed(const HttpRequest& request) {
  HttpResponse response = PlainText(405, request.method + " is not for this address\n");
  response.headers.emplace_back("Allow", TakesPost(request.path) ? "GET, HEAD, POST" : "GET, HEAD");
  return response;
}

}  // namespace

Api::Api(ApiOptions options)
    : options_(std::move(options)),
      access_({options_.token, options_.allowed_hosts, options_.base_path}, *options_.clock) {
  ATALAYA_CHECK(options_.store != nullptr && options_.engine != nullptr);
}

HttpResponse Api::Handle(const HttpRequest& request) {
  HttpResponse response = access_.HostAllowed(request)
                              ? AnswerBelowBase(request)
                              : PlainText(421, "this is not the host that was asked for\n");
  refusals_.Count(response.status);
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.headers.emplace_back("Content-Security-Policy", kContentSecurityPolicy);
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  return response;
}

HttpResponse Api::AnswerBelowBase(const HttpRequest& request) {
  const std::string& base = options_.base_path;
  if (base.empty() || !request.path.starts_with(base)) return Answer(request);
  if (request.path == base) {
    const std::string query = request.query.empty() ? "" : "?" + request.query;
    return {308, "text/plain", "", {{"Location", base + "/" + query}}};
  }
  if (request.path[base.size()] != '/') return Answer(request);
  HttpRequest inner = request;
  inner.path.erase(0, base.size());
  return Answer(inner);
}

HttpResponse Api::Answer(const HttpRequest& request) {
  const Params params(request);
  if (const std::string token = params.Text("token"); request.path == "/" && !token.empty()) {
    if (auto signed_in = access_.SignIn(request, token)) return std::move(*signed_in);
    return PlainText(401, "this is not the token of this cloud_alertd\n");
  }
  if (!IsOpen(request)) {
    if (auto refused = access_.Refuse(request)) return std::move(*refused);
  }
  if (request.path == kSessionPath) return access_.AnswerSession(request);
  if (request.method != "GET" && request.method != "HEAD" &&
      !(request.method == "POST" && TakesPost(request.path)) &&
      !request.path.starts_with(kAlertmanagerPrefix)) {
    return MethodNotAllowed(request);
  }
  const std::function<bool()> cancelled = [&] {
    return stopping_ || (request.client_left && request.client_left());
  };
  HttpResponse response = AnswerPath({options_, refusals_, stopping_, cancelled, params}, request);
  if (HasEtag(request.path)) AddEtag(request, response);
  return response;
}

}  // namespace atalaya::alertd
