#pragma once

#include <string_view>

namespace atalaya::alertd {

// Whether an Authorization header brings `token`: as Bearer, or as the password of Basic with any
// name. Takes as long for a wrong token as for the right one.
// Source: RFC 6750 section 2.1, RFC 7617.
bool IsAuthorized(std::string_view header, std::string_view token);

// Whether `given` is `token`, with the same care for time.
bool IsToken(std::string_view given, std::string_view token);

}  // namespace atalaya::alertd
