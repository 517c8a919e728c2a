#include "alertd/notify/webhook_signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/result.h"

namespace atalaya::alertd {

std::optional<std::string> SigningKey(std::string_view secret) {
  constexpr std::string_view kPrefix = "whsec_";
  if (!secret.starts_with(kPrefix)) return std::nullopt;
  std::optional<std::string> key = DecodeBase64(secret.substr(kPrefix.size()));
  if (!key || key->size() < kMinSigningKeyBytes || key->size() > kMaxSigningKeyBytes)
    return std::nullopt;
  return key;
}

std::string WebhookSignature(const std::vector<std::string>& keys, std::string_view id,
                             std::int64_t unix_seconds, std::string_view body) {
  const std::string content = fmt::format("{}.{}.{}", id, unix_seconds, body);
  std::string header;
  for (const std::string& key : keys) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    ATALAYA_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                       reinterpret_cast<const unsigned char*>(content.data()), content.size(),
                       digest, &size) != nullptr);
    const std::string_view bytes(reinterpret_cast<const char*>(digest), size);
    header += fmt::format("{}v1,{}", header.empty() ? "" : " ", EncodeBase64(bytes));
  }
  return header;
}

}  // namespace atalaya::alertd
