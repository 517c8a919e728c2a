#pragma once

#include <optional>
#include <string>
#include <vector>

#include "alertd/api/sessions.h"
#include "base/clock.h"
#include "base/http_server.h"

namespace atalaya::alertd {

inline constexpr std::string_view kSessionPath = "/api/atalaya/session";

struct AccessOptions {
  std::string token;                       // What a request must bring; "": nothing.
  std::vector<std::string> allowed_hosts;  // As ApiOptions.
  std::string base_path;                   // As ApiOptions.
};

// Who may ask. A request brings the token (Authorization: Bearer, or Basic with any name and the
// token as password), or the cookie of a session that a browser opened with it.
//
// The cookie is HttpOnly and SameSite=Strict. What changes something, or is posted, and comes from
// a page of another origin is refused; with the cookie it needs the header `x-atalaya-page` as
// well, which no page of another origin can send without asking (and nobody answers that it may).
// Threads: any.
class Access {
 public:
  Access(AccessOptions options, const Clock& clock)
      : options_(std::move(options)), sessions_(clock) {}

  // Whether the Host header is an IP address, localhost or an allowed name, which no hostile page
  // can have led here by rebinding its own name.
  bool HostAllowed(const HttpRequest& request) const;

  // The answer to one who may not ask (401 or 403); nothing for others.
  std::optional<HttpResponse> Refuse(const HttpRequest& request);

  // For `/?token=TOKEN`, which a browser is sent to: with the right one a new session and 303 to
  // the page's clean address, else nothing.
  std::optional<HttpResponse> SignIn(const HttpRequest& request, std::string_view token);

  // kSessionPath, of one who may ask: POST with the token opens a session, DELETE ends the
  // cookie's.
  HttpResponse AnswerSession(const HttpRequest& request);

 private:
  bool BringsToken(const HttpRequest& request) const;
  bool HasSession(const HttpRequest& request);
  bool FromElsewhere(const HttpRequest& request) const;
  std::string OpenCookie(const HttpRequest& request);

  const AccessOptions options_;
  Sessions sessions_;
};

}  // namespace atalaya::alertd
