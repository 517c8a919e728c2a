#include <utility>

#include "alertd/notify/channel.h"
#include "alertd/notify/retry.h"
#include "alertd/notify/webhook_content.h"
#include "alertd/notify/webhook_signature.h"
#include "base/log.h"
#include "base/version.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kErrorBodyBytes = 200;  // Of a refusal's body, for the history.

bool WorthRetrying(int status) { return status == 408 || status == 429 || status >= 500; }

DeliveryOutcome Judge(const Result<HttpClientReply>& reply, const Clock& clock) {
  DeliveryOutcome outcome;
  if (!reply) {
    const bool never = reply.error().code == ErrorCode::kInvalid;
    outcome.kind = never ? DeliveryOutcome::Kind::kRefused : DeliveryOutcome::Kind::kRetry;
    outcome.error = reply.error().message;
    return outcome;
  }
  if (reply->status >= 200 && reply->status < 300) {
    outcome.kind = DeliveryOutcome::Kind::kAccepted;
    return outcome;
  }
  outcome.error = fmt::format("HTTP status {}", reply->status);
  if (!reply->body.empty()) outcome.error += ": " + OneLine(CutText(reply->body, kErrorBodyBytes));
  if (!WorthRetrying(reply->status)) {
    outcome.kind = DeliveryOutcome::Kind::kRefused;
    return outcome;
  }
  const auto retry_after = reply->headers.find("retry-after");
  if (retry_after != reply->headers.end())
    outcome.retry_after = ParseRetryAfter(retry_after->second, clock.NowMs());
  return outcome;
}

class WebhookChannel final : public Channel {
 public:
  WebhookChannel(const ReceiverConfig& receiver, const ChannelContext& context)
      : config_(receiver.webhook), context_(context) {}

  void Deliver(const Notice& notice, const std::string& /*target*/, Done done) override {
    const Clock* clock = context_.clock;
    WebhookContent content = RenderWebhook(config_, notice, context_.external_url);
    if (!content.error.empty())
      LogWarning("receiver \"{}\": its template failed: {}", notice.receiver, content.error);
    HttpClientRequest request;
    request.method = "POST";
    request.url = config_.url;
    request.body = std::move(content.body);
    request.headers = std::move(content.headers);
    request.headers.emplace_back("Content-Type", content.type);
    request.headers.emplace_back("User-Agent", fmt::format("cloud_alertd/{}", kVersion));
    request.headers.emplace_back("webhook-id", notice.id);
    if (!config_.signing_keys.empty()) {
      const std::int64_t now_s = clock->NowMs() / 1000;
      request.headers.emplace_back("webhook-timestamp", std::to_string(now_s));
      request.headers.emplace_back(
          "webhook-signature",
          WebhookSignature(config_.signing_keys, notice.id, now_s, request.body));
    }
    request.username = config_.username;
    request.password = config_.password;
    request.bearer_token = config_.bearer_token;
    request.ca_file = config_.ca_file;
    request.certificate_file = config_.certificate_file;
    request.key_file = config_.key_file;
    request.proxy = config_.proxy;
    request.refuse_link_local = true;
    request.timeout = config_.timeout;
    context_.http->Send(std::move(request),
                        [clock, done = std::move(done)](const Result<HttpClientReply>& reply) {
                          done(Judge(reply, *clock));
                        });
  }

 private:
  WebhookConfig config_;
  ChannelContext context_;
};

}  // namespace

std::unique_ptr<Channel> MakeWebhookChannel(const ReceiverConfig& receiver,
                                            const ChannelContext& context) {
  return std::make_unique<WebhookChannel>(receiver, context);
}

}  // namespace atalaya::alertd
