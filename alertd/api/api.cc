#include "alertd/api/api.h"

#include <algorithm>

#include "alertd/api/answer.h"
#include "alertd/api/authorization.h"
#include "alertd/api/escaped_name.h"
#include "alertd/api/handlers.h"
#include "alertd/api/web_files.h"
#include "base/check.h"
#include "base/net.h"

namespace atalaya::alertd {
namespace {

// Nothing but this program's own files may run, load or be sent to.
constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr std::string_view kLabelPrefix = "/api/v1/label/";
constexpr std::string_view kValuesSuffix = "/values";

struct Route {
  std::string_view path;
  HttpResponse (*answer)(const ApiContext&);
};

constexpr Route kRoutes[] = {
    {"/api/v1/query", AnswerQuery},          {"/api/v1/query_range", AnswerQueryRange},
    {"/api/v1/series", AnswerSeries},        {"/api/v1/labels", AnswerLabels},
    {"/api/v1/metadata", AnswerMetadata},    {"/api/v1/status/buildinfo", AnswerBuildInfo},
    {"/api/v1/rules", AnswerRules},          {"/api/v1/alerts", AnswerAlerts},
    {"/api/v1/targets", AnswerTargets},      {"/api/atalaya/status", AnswerStatus},
    {"/api/atalaya/notices", AnswerNotices}, {"/api/atalaya/runs", AnswerRuns},
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

bool IsIpAddress(std::string_view host) {
  if (host.find(':') != std::string_view::npos) return true;  // Only IPv6 addresses have colons.
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// A browser that a hostile page has led here by its own name says that name; an address or
// localhost cannot be turned so.
bool HostAllowed(const std::string& header, const std::vector<std::string>& allowed) {
  std::string host = header;
  if (const auto parsed = ParseHostPort(header)) {
    host = parsed->host;
  } else if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return IsIpAddress(host) || host == "localhost" ||
         std::find(allowed.begin(), allowed.end(), host) != allowed.end();
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
  if (request.path.starts_with("/api/")) {
    return ErrorAnswer(404, "not_found", request.path + ": no such address");
  }
  return PlainText(404, request.path + ": no such page\n");
}

bool HasEtag(std::string_view path) {
  return path.starts_with("/api/atalaya/") || path == "/api/v1/alerts" ||
         FindWebFile(path) != nullptr;
}

}  // namespace

Api::Api(ApiOptions options) : options_(std::move(options)) {
  ATALAYA_CHECK(options_.store != nullptr && options_.engine != nullptr);
}

HttpResponse Api::Handle(const HttpRequest& request) const {
  HttpResponse response;
  if (!HostAllowed(request.Header("host"), options_.allowed_hosts)) {
    response = PlainText(421, "this is not the host that was asked for\n");
  } else if (!options_.token.empty() && !request.path.starts_with("/-/") &&
             !IsAuthorized(request.Header("authorization"), options_.token)) {
    response =
        ErrorAnswer(401, "unauthorized", "this address needs the token of [http] token_file");
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"cloud_alertd\"");
  } else if (request.method != "GET" && request.method != "HEAD" &&
             !(request.method == "POST" && TakesPost(request.path)) &&
             !request.path.starts_with(kAlertmanagerPrefix)) {
    response = PlainText(405, request.method + " is not for this address\n");
    response.headers.emplace_back("Allow",
                                  TakesPost(request.path) ? "GET, HEAD, POST" : "GET, HEAD");
  } else {
    const Params params(request);
    const std::function<bool()> cancelled = [&] {
      return stopping_ || (request.client_left && request.client_left());
    };
    response = AnswerPath({options_, stopping_, cancelled, params}, request);
    if (HasEtag(request.path)) AddEtag(request, response);
  }
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.headers.emplace_back("Content-Security-Policy", kContentSecurityPolicy);
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  return response;
}

}  // namespace atalaya::alertd
