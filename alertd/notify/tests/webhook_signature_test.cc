#include "alertd/notify/webhook_signature.h"

#include <gtest/gtest.h>

namespace atalaya::alertd {
namespace {

// The example of the Standard Webhooks documentation.
constexpr std::string_view kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view kSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

TEST(WebhookSignature, IsThatOfThePublishedExample) {
  const std::optional<std::string> key = SigningKey(kSecret);
  ASSERT_TRUE(key);
  EXPECT_EQ(WebhookSignature({*key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1'614'265'330,
                             R"({"test": 2432232314})"),
            kSignature);
}

TEST(WebhookSignature, HasOneForEachKeySoThatAKeyCanBeReplaced) {
  const std::string old_key(32, 'k'), key = *SigningKey(kSecret);
  const std::string both = WebhookSignature({key, old_key}, "id", 1, "body");
  EXPECT_EQ(both, WebhookSignature({key}, "id", 1, "body") + " " +
                      WebhookSignature({old_key}, "id", 1, "body"));
}

TEST(WebhookSignature, RefusesSecretsThatAreNone) {
  EXPECT_FALSE(SigningKey("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
  EXPECT_FALSE(SigningKey("whsec_c2hvcnQ="));
  EXPECT_FALSE(SigningKey("whsec_!!!!"));
}

}  // namespace
}  // namespace atalaya::alertd
