#include "alertd/notify/channel.h"

#include "base/check.h"

namespace atalaya::alertd {

std::unique_ptr<Channel> MakeChannel(const ReceiverConfig& receiver,
                                     const ChannelContext& context) {
  switch (receiver.kind) {
    case ReceiverKind::kWebhook:
      return MakeWebhookChannel(receiver, context);
    case ReceiverKind::kEmail:
      return MakeSmtpChannel(receiver, context);
    case ReceiverKind::kMailDirectory:
      return MakeMailDirectoryChannel(receiver, context);
    case ReceiverKind::kStdout:
      return MakeStdoutChannel(context);
  }
  ATALAYA_CHECK(false);
}

}  // namespace atalaya::alertd
