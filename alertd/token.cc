#include "alertd/token.h"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMinTokenBytes = 16;
constexpr unsigned kTokenMode = 0600;

}  // namespace

std::string NewSecret() {
  std::array<unsigned char, 16> bytes;
  ATALAYA_CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

Result<std::string> ReadTokenFile(const std::string& path) {
  Result<std::string> token = ReadFile(path);
  if (!token) return token;
  if (Status secret = CheckSecretFile(path); !secret) return Forward(secret.error());
  token->resize(token->find_last_not_of(" \t\r\n") + 1);
  if (token->size() < kMinTokenBytes)
    return Fail(ErrorCode::kInvalid, "{} holds less than {} characters", path, kMinTokenBytes);
  if (!std::all_of(token->begin(), token->end(), [](char c) { return c > ' ' && c <= '~'; }))
    return Fail(ErrorCode::kInvalid, "{} holds more than one word of ASCII", path);
  return token;
}

Result<std::string> ReadOrMakeTokenFile(const std::string& path) {
  Result<std::string> token = ReadTokenFile(path);
  if (token || token.error().code != ErrorCode::kNotFound) return token;
  const std::string made = NewSecret();
  if (Status written = WriteFileAtomic(path, made + "\n", kTokenMode); !written)
    return Forward(written.error());
  LogInfo("made a token for the API and the page: {}", path);
  return made;
}

}  // namespace atalaya::alertd
