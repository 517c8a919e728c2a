#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace atalaya::cloud_client {

// Writes a flat JSON object, field by field (RFC 8259); keys must not repeat.
class JsonObject {
 public:
  JsonObject& Add(std::string_view key, double value);  // Finite.
  JsonObject& Add(std::string_view key, std::uint64_t value);
  JsonObject& Add(std::string_view key, std::string_view value);  // UTF-8.
  std::string Text() const { return text_ + "}"; }

 private:
  void Key(std::string_view key);
  void Quote(std::string_view text);
  std::string text_ = "{";
};

}  // namespace atalaya::cloud_client
