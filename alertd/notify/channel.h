#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "alertd/notify/notice.h"
#include "alertd/notify/receiver_config.h"
#include "alertd/notify/worker_pool.h"
#include "base/clock.h"
#include "base/http_client.h"

namespace atalaya::alertd {

// What one attempt to deliver came to.
struct DeliveryOutcome {
  enum class Kind {
    kAccepted,
    kRetry,    // Not now: no answer, or one that says so.
    kRefused,  // Never: the same notice would be refused again.
  };
  Kind kind = Kind::kRetry;
  std::string error;                                     // "" where accepted.
  std::optional<std::chrono::milliseconds> retry_after;  // As the receiver asked.
};

// The way to one receiver.
class Channel {
 public:
  using Done = std::function<void(DeliveryOutcome)>;

  virtual ~Channel() = default;

  // Starts one attempt; never blocks. `done` is called once, on another thread.
  virtual void Deliver(const Notice& notice, const std::string& target, Done done) = 0;
};

// What channels share. The client and the pool end before the channels do: their tasks use them.
struct ChannelContext {
  HttpClient* http = nullptr;
  WorkerPool* workers = nullptr;  // For what blocks: SMTP, files, stdout.
  const Clock* clock = nullptr;
  std::string external_url;
};

std::unique_ptr<Channel> MakeChannel(const ReceiverConfig& receiver, const ChannelContext& context);

// One per kind (ReceiverKind); each in a file of its own.
std::unique_ptr<Channel> MakeWebhookChannel(const ReceiverConfig& receiver,
                                            const ChannelContext& context);
std::unique_ptr<Channel> MakeSmtpChannel(const ReceiverConfig& receiver,
                                         const ChannelContext& context);
std::unique_ptr<Channel> MakeMailDirectoryChannel(const ReceiverConfig& receiver,
                                                  const ChannelContext& context);
std::unique_ptr<Channel> MakeStdoutChannel(const ChannelContext& context);

}  // namespace atalaya::alertd
