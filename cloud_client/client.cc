#include "cloud_client/client.h"

#include <mutex>
#include <random>
#include <system_error>
#include <thread>

#include "base/check.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "cloud_client/acknowledge.h"
#include "cloud_client/mailbox.h"
#include "cloud_client/session.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_client {
namespace {

constexpr std::size_t kMaxStringBytes = 65'535;        // Of any string in MQTT.
constexpr std::int64_t kNeverExpires = 4'294'967'295;  // Of a session.

Status CheckTopic(std::string_view field, std::string_view topic) {
  if (mqtt::IsValidTopicName(topic) && mqtt::IsValidUtf8(topic)) return {};
  return Fail(ErrorCode::kInvalid,
              "{}: \"{}\" is not a topic to publish to (write a/b/c: UTF-8, no + and no #)", field,
              topic);
}

Status CheckOptions(const ClientOptions& options) {
  if (options.servers.empty()) return Fail(ErrorCode::kInvalid, "servers: names none");
  for (const HostPort& server : options.servers) {
    if (server.port != 0) continue;
    return Fail(ErrorCode::kInvalid, "servers: {} has no port", server.ToString());
  }
  if (options.client_id.size() > kMaxStringBytes || !mqtt::IsValidUtf8(options.client_id)) {
    return Fail(ErrorCode::kInvalid, "client_id: must be UTF-8 of at most {} bytes",
                kMaxStringBytes);
  }
  if (options.client_id.empty() && !options.clean_session) {
    return Fail(ErrorCode::kInvalid, "client_id: a session that is kept needs one");
  }
  if (options.keep_alive.count() < 0 || options.keep_alive.count() > 65'535) {
    return Fail(ErrorCode::kInvalid, "keep_alive: must be 0 to 65535 s");
  }
  if (options.session_expiry.count() < 0 || options.session_expiry.count() > kNeverExpires) {
    return Fail(ErrorCode::kInvalid, "session_expiry: must be 0 to {} s (never)", kNeverExpires);
  }
  for (const auto* text : {&options.username, &options.password}) {
    if (*text && (*text)->size() > kMaxStringBytes) {
      return Fail(ErrorCode::kInvalid, "username, password: at most {} bytes", kMaxStringBytes);
    }
  }
  if (options.connect_timeout.count() <= 0 || options.reconnect_min.count() <= 0) {
    return Fail(ErrorCode::kInvalid, "connect_timeout, reconnect_min: must be more than 0");
  }
  if (options.will) {
    if (Status good = CheckTopic("will", options.will->topic); !good) return good;
    if (options.will->payload.size() > kMaxStringBytes) {
      return Fail(ErrorCode::kInvalid, "will: a will has at most {} bytes", kMaxStringBytes);
    }
  }
  if (options.spool && options.clean_session) {
    return Fail(ErrorCode::kInvalid, "spool: needs a session that is kept (clean_session = false)");
  }
  if (options.spool && options.spool->max_bytes < kMinSpoolBytes) {
    return Fail(ErrorCode::kInvalid, "spool: max_bytes must be at least {}", kMinSpoolBytes);
  }
  return {};
}

Backoff MakeBackoff(const ClientOptions& options) {
  std::minstd_rand engine{std::random_device{}()};
  return Backoff(options.reconnect_min, options.reconnect_max, [engine]() mutable {
    return std::uniform_real_distribution<double>(0, 1)(engine);
  });
}

}  // namespace

void Acknowledge::operator()() const {
  if (!target_) return;
  if (const std::shared_ptr<Mailbox> mailbox = target_->mailbox.lock()) {
    mailbox->Handled(target_->message);
  }
}

struct Client::Impl {
  Impl(std::unique_ptr<EventLoop> the_loop, const ClientOptions& options, ClientCallbacks callbacks,
       std::unique_ptr<Spool> spool)
      : max_packets(options.queue_packets),
        max_bytes(options.queue_bytes),
        spooling(options.spool.has_value()),
        loop(std::move(the_loop)) {
    mailbox = std::make_shared<Mailbox>(loop.get(), [this] { session->TakeLetters(); });
    session = std::make_unique<Session>(loop.get(), options, std::move(callbacks), mailbox,
                                        MakeBackoff(options), std::move(spool));
    loop->SetTurnEnd([this] { session->TurnEnd(); });
    loop->Post([this] { session->Start(); });
  }

  void Run() {
    loop->Run();
    mailbox->CloseForAll();
    left = session->FailAll();
    session.reset();
  }

  const std::size_t max_packets;
  const std::size_t max_bytes;
  const bool spooling;
  std::unique_ptr<EventLoop> loop;
  std::shared_ptr<Mailbox> mailbox;
  std::unique_ptr<Session> session;
  std::size_t left = 0;  // Read after the thread has ended.
  std::mutex close_mutex;
  std::thread thread;
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Client>> Client::Start(ClientOptions options, ClientCallbacks callbacks) {
  if (Status good = CheckOptions(options); !good) return Forward(good.error());
  std::unique_ptr<Spool> spool;
  if (options.spool) {
    // The first packet ids of a new spool are most likely not those of one that was there before.
    const auto first = static_cast<std::uint64_t>(SystemClock().NowMs());
    Result<std::unique_ptr<Spool>> opened = Spool::Open(*options.spool, options.client_id, first);
    if (!opened) return Forward(opened.error());
    spool = std::move(*opened);
  }
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) return Forward(loop.error());
  auto impl =
      std::make_unique<Impl>(std::move(*loop), options, std::move(callbacks), std::move(spool));
  try {
    impl->thread = std::thread([raw = impl.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kIo, "cannot start the client's thread: {}", error.what());
  }
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Client::~Client() {
  // Whatever was left has been told through its PublishDone.
  if (impl_->thread.joinable()) static_cast<void>(Close(std::chrono::milliseconds(0)));
}

Status Client::Publish(Outgoing packet, PublishDone done) {
  if (Status good = CheckTopic("topic", packet.topic); !good) return good;
  PendingPublish publish;
  publish.packet = std::move(packet);
  publish.done = std::move(done);
  publish.time_ms = SystemClock().NowMs();
  if (publish.Bytes() > kMaxPublishBytes) {
    return Fail(ErrorCode::kLimit, "{}: {} bytes are more than a packet's {}", publish.packet.topic,
                publish.Bytes(), kMaxPublishBytes);
  }
  return impl_->mailbox->Publish(std::move(publish), impl_->max_packets, impl_->max_bytes);
}

Status Client::Subscribe(std::string filter, Qos qos, SubscribeDone done) {
  if (!mqtt::IsValidTopicFilter(filter) || !mqtt::IsValidUtf8(filter)) {
    return Fail(
        ErrorCode::kInvalid,
        "\"{}\" is not a topic filter (write a/+/c or a/#: + and # only as a whole level, # "
        "only as the last)",
        filter);
  }
  Impl* impl = impl_.get();
  if (!impl->mailbox->Call([impl, filter = std::move(filter), qos, done = std::move(done)] {
        impl->session->Subscribe(filter, qos, done);
      })) {
    return Fail(ErrorCode::kIo, "the client was closed");
  }
  return {};
}

ClientStats Client::stats() const { return impl_->mailbox->stats(); }

Status Client::Close(std::chrono::milliseconds drain) {
  ATALAYA_CHECK(std::this_thread::get_id() != impl_->thread.get_id());
  const std::lock_guard lock(impl_->close_mutex);
  if (!impl_->thread.joinable()) return {};
  impl_->mailbox->CloseForPublish();
  Impl* impl = impl_.get();
  ATALAYA_CHECK(impl->mailbox->Call([impl, drain] { impl->session->BeginClose(drain); }));
  impl_->thread.join();
  if (impl_->left == 0) return {};
  return Fail(ErrorCode::kTimeout, "{} packets were not delivered{}", impl_->left,
              impl_->spooling ? "; they are kept in the spool" : "");
}

}  // namespace atalaya::cloud_client
