#include <utility>

#include "alertd/notify/channel.h"
#include "alertd/notify/mail.h"
#include "base/smtp_client.h"

namespace atalaya::alertd {
namespace {

// What a server says to credentials or encryption it does not take (RFC 4954 section 6): ours to
// mend in the configuration or theirs in the server, not the mail's fault, so the mail waits.
bool IsAboutAuthentication(int code) {
  return code == 530 || code == 534 || code == 535 || code == 538;
}

DeliveryOutcome Judge(const Result<SmtpReply>& reply) {
  using Kind = DeliveryOutcome::Kind;
  if (!reply) {
    const bool never = reply.error().code == ErrorCode::kInvalid;
    return {never ? Kind::kRefused : Kind::kRetry, reply.error().message, std::nullopt};
  }
  if (reply->code >= 200 && reply->code < 300) return {Kind::kAccepted, "", std::nullopt};
  const bool never = reply->code >= 500 && reply->code < 600 && !IsAboutAuthentication(reply->code);
  return {never ? Kind::kRefused : Kind::kRetry,
          fmt::format("SMTP reply {} {}", reply->code, OneLine(reply->text)), std::nullopt};
}

class SmtpChannel final : public Channel {
 public:
  SmtpChannel(const ReceiverConfig& receiver, const ChannelContext& context)
      : config_(receiver.email), context_(context) {}

  void Deliver(const Notice& notice, const std::string& target, Done done) override {
    std::string message = RenderMail(notice, {config_.from, target}, context_.external_url);
    context_.workers->Run([this, target, message = std::move(message),
                           done = std::move(done)](const std::stop_token& stop) {
      done(Judge(SmtpSend(config_.server, config_.from, target, message, stop)));
    });
  }

 private:
  EmailConfig config_;
  ChannelContext context_;
};

}  // namespace

std::unique_ptr<Channel> MakeSmtpChannel(const ReceiverConfig& receiver,
                                         const ChannelContext& context) {
  return std::make_unique<SmtpChannel>(receiver, context);
}

}  // namespace atalaya::alertd
