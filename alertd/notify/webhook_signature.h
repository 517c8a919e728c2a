#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atalaya::alertd {

inline constexpr std::size_t kMinSigningKeyBytes = 24;
inline constexpr std::size_t kMaxSigningKeyBytes = 64;

// The key of a secret `whsec_BASE64`; nothing where it is none or its key is not 24 to 64 bytes.
std::optional<std::string> SigningKey(std::string_view secret);

// The header `webhook-signature`: for each key HMAC-SHA256 of `id.time.body`, as `v1,BASE64`, with
// spaces between them. `unix_seconds` is what the header `webhook-timestamp` says.
// Source: the Standard Webhooks specification, version 1.
std::string WebhookSignature(const std::vector<std::string>& keys, std::string_view id,
                             std::int64_t unix_seconds, std::string_view body);

}  // namespace atalaya::alertd
