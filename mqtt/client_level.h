#pragma once

#include <string>
#include <string_view>

// A client id as one level of a topic: `telemetry/<client>/...`, `to/<client>/<from>`,
// `presence/<client>`. A client id may hold '/', '+' and '#'; a level may not. So it is
// percent-encoded (RFC 3986, section 2.1).
namespace atalaya::mqtt {

// Every byte but A-Z a-z 0-9 '-' '.' '_' '~' as %XX in upper case: "pump/7" is "pump%2F7".
std::string EncodeClientId(std::string_view client_id);

// The client id that `level` stands for, however freely it was encoded; a '%' without two
// hexadecimal digits stands for itself.
std::string DecodeClientId(std::string_view level);

// Whether `level` stands for `client_id`: DecodeClientId(level) == client_id, without a copy.
bool LevelIsClient(std::string_view level, std::string_view client_id);

}  // namespace atalaya::mqtt
