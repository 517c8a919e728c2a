#include <utility>

#include "alertd/notify/channel.h"
#include "alertd/notify/retry.h"
#include "alertd/notify/webhook_payload.h"
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
    HttpClientRequest request;
    request.method = "POST";
    request.url = config_.url;
    request.body = RenderWebhookPayload(notice, context_.external_url);
    request.headers = {{"Content-Type", "application/json"},
                       {"User-Agent", fmt::format("cloud_alertd/{}", kVersion)},
                       {"webhook-id", notice.id}};
    request.username = config_.username;
    request.password = config_.password;
    request.bearer_token = config_.bearer_token;
    request.ca_file = config_.ca_file;
    request.timeout = config_.timeout;
    const Clock* clock = context_.clock;
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
