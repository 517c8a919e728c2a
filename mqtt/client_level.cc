#include "mqtt/client_level.h"

namespace atalaya::mqtt {
namespace {

constexpr char kHexDigits[] = "0123456789ABCDEF";

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Takes the next byte that `*rest`, which is not empty, stands for.
char TakeByte(std::string_view* rest) {
  const char first = rest->front();
  if (first == '%' && rest->size() >= 3) {
    const int high = HexValue((*rest)[1]);
    const int low = HexValue((*rest)[2]);
    if (high >= 0 && low >= 0) {
      rest->remove_prefix(3);
      return static_cast<char>(high * 16 + low);
    }
  }
  rest->remove_prefix(1);
  return first;
}

}  // namespace

std::string EncodeClientId(std::string_view client_id) {
  std::string level;
  level.reserve(client_id.size());
  for (const char c : client_id) {
    if (IsUnreserved(c)) {
      level.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    level.push_back('%');
    level.push_back(kHexDigits[byte >> 4]);
    level.push_back(kHexDigits[byte & 15]);
  }
  return level;
}

std::string DecodeClientId(std::string_view level) {
  std::string client_id;
  while (!level.empty()) client_id.push_back(TakeByte(&level));
  return client_id;
}

bool LevelIsClient(std::string_view level, std::string_view client_id) {
  for (const char c : client_id) {
    if (level.empty() || TakeByte(&level) != c) return false;
  }
  return level.empty();
}

}  // namespace atalaya::mqtt
