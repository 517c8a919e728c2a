#include "alertd/api/authorization.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/base64.h"

namespace atalaya::alertd {
namespace {

// The scheme's credentials; nothing where the header has another scheme.
std::optional<std::string_view> TakeScheme(std::string_view header, std::string_view lower_scheme) {
  if (header.size() <= lower_scheme.size() || header[lower_scheme.size()] != ' ') {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < lower_scheme.size(); ++i) {
    if ((header[i] | 0x20) != lower_scheme[i]) return std::nullopt;
  }
  header.remove_prefix(lower_scheme.size());
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

}  // namespace

bool IsToken(std::string_view given, std::string_view token) {
  unsigned differ = given.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const char other = given.empty() ? '\0' : given[i % given.size()];
    differ |= static_cast<unsigned char>(other ^ token[i]);
  }
  return differ == 0;
}

bool IsAuthorized(std::string_view header, std::string_view token) {
  if (const auto bearer = TakeScheme(header, "bearer")) return IsToken(*bearer, token);
  const auto basic = TakeScheme(header, "basic");
  const auto decoded = basic ? DecodeBase64(*basic) : std::nullopt;
  if (!decoded) return false;
  const std::size_t colon = decoded->find(':');
  return colon != std::string::npos && IsToken(std::string_view(*decoded).substr(colon + 1), token);
}

}  // namespace atalaya::alertd
