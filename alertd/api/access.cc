#include "alertd/api/access.h"

#include <algorithm>

#include "alertd/api/answer.h"
#include "alertd/api/authorization.h"
#include "base/net.h"

namespace atalaya::alertd {
namespace {

constexpr char kPageHeader[] = "x-atalaya-page";

bool IsIpAddress(std::string_view host) {
  if (host.find(':') != std::string_view::npos) return true;  // Only IPv6 addresses have colons.
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// The host of "Tower.example:443", "[::1]" and the like, in lower case.
std::string HostOf(const std::string& authority) {
  std::string host = authority;
  if (const auto parsed = ParseHostPort(authority)) {
    host = parsed->host;
  } else if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return host;
}

// Browsers keep cookies by host whatever the port, so that each port has its own name.
std::string CookieName(const HttpRequest& request) {
  const auto authority = ParseHostPort(request.Header("host"));
  return authority ? fmt::format("atalaya_{}", authority->port) : "atalaya";
}

std::string CookieOf(const HttpRequest& request) {
  const std::string cookies = "; " + request.Header("cookie");
  const std::string name = fmt::format("; {}=", CookieName(request));
  const std::size_t found = cookies.find(name);
  if (found == std::string::npos) return "";
  const std::size_t begin = found + name.size();
  return cookies.substr(begin, cookies.find(';', begin) - begin);
}

bool Reads(const HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

HttpResponse NoContent() { return {204, "text/plain", "", {}}; }

}  // namespace

bool Access::HostAllowed(const HttpRequest& request) const {
  const std::string host = HostOf(request.Header("host"));
  return IsIpAddress(host) || host == "localhost" ||
         std::find(options_.allowed_hosts.begin(), options_.allowed_hosts.end(), host) !=
             options_.allowed_hosts.end();
}

bool Access::BringsToken(const HttpRequest& request) const {
  return IsAuthorized(request.Header("authorization"), options_.token);
}

bool Access::HasSession(const HttpRequest& request) { return sessions_.IsOpen(CookieOf(request)); }

// Whether a browser says that a page of another origin sends this.
bool Access::FromElsewhere(const HttpRequest& request) const {
  const std::string site = request.Header("sec-fetch-site");
  if (site == "cross-site" || site == "same-site") return true;
  const std::string origin = request.Header("origin");
  if (origin.empty()) return false;
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string::npos) return true;  // "null"
  const std::string authority = origin.substr(scheme + 3);
  // A proxy may have put another Host in.
  const auto& proxied = options_.allowed_hosts;
  return authority != request.Header("host") &&
         std::find(proxied.begin(), proxied.end(), HostOf(authority)) == proxied.end();
}

std::optional<HttpResponse> Access::Refuse(const HttpRequest& request) {
  if (options_.token.empty()) return std::nullopt;
  const bool from_page = !request.Header(kPageHeader).empty();
  const bool token = BringsToken(request);
  if (!token && !HasSession(request)) {
    HttpResponse response = ErrorAnswer(401, "unauthorized", "this address needs the token");
    // The page asks for it by itself, without the browser's own box.
    if (!from_page)
      response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"cloud_alertd\"");
    return response;
  }
  if (Reads(request)) return std::nullopt;
  if (FromElsewhere(request))
    return ErrorAnswer(403, "forbidden", "a page of another origin may not do this");
  if (!token && !from_page)
    return ErrorAnswer(403, "forbidden", "with a session this needs the header X-Atalaya-Page");
  return std::nullopt;
}

std::string Access::OpenCookie(const HttpRequest& request) {
  return fmt::format("{}={}; Path={}/; Max-Age={}; HttpOnly; SameSite=Strict", CookieName(request),
                     sessions_.Open(), options_.base_path,
                     std::chrono::seconds(kSessionLifetime).count());
}

std::optional<HttpResponse> Access::SignIn(const HttpRequest& request, std::string_view token) {
  if (!IsToken(token, options_.token)) return std::nullopt;
  return HttpResponse{
      303,
      "text/plain",
      "",
      {{"Location", options_.base_path + "/"}, {"Set-Cookie", OpenCookie(request)}}};
}

HttpResponse Access::AnswerSession(const HttpRequest& request) {
  HttpResponse response = NoContent();
  if (request.method == "DELETE") {
    sessions_.Close(CookieOf(request));
    response.headers.emplace_back("Set-Cookie",
                                  fmt::format("{}=; Path={}/; Max-Age=0; HttpOnly; SameSite=Strict",
                                              CookieName(request), options_.base_path));
    return response;
  }
  if (request.method != "POST") {
    response = PlainText(405, "this address takes POST and DELETE\n");
    response.headers.emplace_back("Allow", "POST, DELETE");
    return response;
  }
  if (!BringsToken(request)) return ErrorAnswer(403, "forbidden", "a session opens no other");
  response.headers.emplace_back("Set-Cookie", OpenCookie(request));
  return response;
}

}  // namespace atalaya::alertd
