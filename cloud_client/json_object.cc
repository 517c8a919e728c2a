#include "cloud_client/json_object.h"

#include <fmt/format.h>

namespace atalaya::cloud_client {

void JsonObject::Quote(std::string_view text) {
  text_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      text_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

void JsonObject::Key(std::string_view key) {
  if (text_.size() > 1) text_ += ',';
  Quote(key);
  text_ += ':';
}

JsonObject& JsonObject::Add(std::string_view key, double value) {
  Key(key);
  text_ += fmt::format("{}", value);
  return *this;
}

JsonObject& JsonObject::Add(std::string_view key, std::uint64_t value) {
  Key(key);
  text_ += fmt::format("{}", value);
  return *this;
}

JsonObject& JsonObject::Add(std::string_view key, std::string_view value) {
  Key(key);
  Quote(value);
  return *this;
}

}  // namespace atalaya::cloud_client
