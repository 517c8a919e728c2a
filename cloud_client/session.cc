#include "cloud_client/session.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "cloud_client/reasons.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_client {
namespace {

// A connection that stood this long was a good one: the next wait is short again. Without it two
// clients with one id would throw each other out twice a second for ever.
constexpr std::chrono::seconds kStableAfter{5};

// How long a server may take to hang up after DISCONNECT; until then what was sent may still be on
// its way.
constexpr std::chrono::milliseconds kGoodbyeWait{500};

// The CONNACK of a server that refuses MQTT 5, whatever it speaks itself.
bool RefusesVersion(const mqtt::Frame& frame) {
  const auto code = static_cast<std::uint8_t>(frame.body.size() > 1 ? frame.body[1] : 0);
  return (frame.body.size() == 2 &&
          code == static_cast<std::uint8_t>(mqtt::ConnectCode::kBadVersion)) ||
         code == static_cast<std::uint8_t>(mqtt::Reason::kUnsupportedVersion);
}

}  // namespace

Session::Session(EventLoop* loop, ClientOptions options, ClientCallbacks callbacks,
                 std::shared_ptr<Mailbox> mailbox, Backoff backoff, std::unique_ptr<Spool> spool)
    : loop_(loop),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      mailbox_(std::move(mailbox)),
      backoff_(std::move(backoff)),
      spool_(std::move(spool)),
      version_(mqtt::Version::k5),
      client_id_(options_.client_id),
      keep_alive_(options_.keep_alive) {
  ReportSpool();
}

Session::~Session() { CancelTimers(); }

void Session::Start() { BeginAttempt(); }

void Session::TakeLetters() {
  Mailbox::Letters letters = mailbox_->Take();
  if (spool_) {
    Store(std::move(letters.publishes));
  } else {
    for (PendingPublish& publish : letters.publishes) waiting_.push_back(std::move(publish));
  }
  for (const std::uint64_t message : letters.handled) OnHandled(message);
  for (const std::function<void()>& call : letters.calls) call();
  SendWaiting();
}

void Session::TurnEnd() {
  ReleaseConfirmed();
  while (connection_ && connection_->wants_flush()) connection_->Flush();
  if (!spool_) return;
  spool_->NoteDone();
  ReportSpool();
  GoodbyeIfDrained();
}

void Session::BeginAttempt() {
  state_ = State::kConnecting;
  next_server_ = 0;
  attempt_errors_.clear();
  TryNextServer();
}

void Session::TryNextServer() {
  attempt_timer_ = 0;
  const std::size_t index = next_server_++;
  const HostPort& server = options_.servers[index];
  const bool old = options_.protocol == Protocol::kMqtt311 || old_servers_.contains(index);
  version_ = old ? mqtt::Version::k311 : mqtt::Version::k5;
  version_refused_ = false;
  next_address_ = 0;
  addresses_.clear();
  Result<std::vector<HostPort>> numbers = ResolveTcp(server);
  if (!numbers) return ServerFailed(numbers.error());
  for (HostPort& number : *numbers) addresses_.push_back({std::move(number), server});
  deadline_timer_ = loop_->RunAfter(options_.connect_timeout, [this] { OnServerTimeout(); });
  TryNextAddress();
}

void Session::OnServerTimeout() {
  deadline_timer_ = 0;
  next_address_ = addresses_.size();
  version_refused_ = false;
  Error error{ErrorCode::kTimeout, fmt::format("{}: no answer within {} ms",
                                               options_.servers[next_server_ - 1].ToString(),
                                               options_.connect_timeout.count())};
  if (connection_) return connection_->Close(std::move(error));
  loop_->CancelTimer(std::exchange(attempt_timer_, 0));
  ServerFailed(error);
}

// A name may stand for several addresses (localhost for ::1 and 127.0.0.1): all are tried.
void Session::TryNextAddress() {
  attempt_timer_ = 0;
  Error error{ErrorCode::kNotFound,
              fmt::format("{}: has no address", options_.servers[next_server_ - 1].ToString())};
  while (next_address_ < addresses_.size()) {
    ConnectionHooks hooks{[this] { SendConnect(); },
                          [this](const mqtt::Frame& frame) { return OnFrame(frame); },
                          [this] { OnWritten(); }, [this](const Error& why) { OnClosed(why); }};
    const Address& address = addresses_[next_address_++];
    Result<std::unique_ptr<Connection>> connection =
        Connection::Open(loop_, {address.number, address.server, options_.tls}, std::move(hooks));
    if (connection) {
      connection_ = std::move(*connection);
      return;
    }
    error = connection.error();
  }
  ServerFailed(error);
}

void Session::ServerFailed(const Error& error) {
  loop_->CancelTimer(std::exchange(deadline_timer_, 0));
  if (!attempt_errors_.empty()) attempt_errors_ += "; ";
  attempt_errors_ += error.message;
  if (next_server_ < options_.servers.size()) {
    attempt_timer_ = loop_->RunAfter(std::chrono::nanoseconds(0), [this] { TryNextServer(); });
    return;
  }
  AttemptFailed({error.code, attempt_errors_});
}

void Session::SendConnect() {
  mqtt::Connect connect;
  connect.version = version_;
  connect.clean_start = options_.clean_session;
  connect.keep_alive_s = static_cast<std::uint16_t>(options_.keep_alive.count());
  connect.client_id = options_.client_id;
  if (options_.username) connect.username = *options_.username;
  if (options_.password && (options_.username || version_ == mqtt::Version::k5)) {
    connect.password = *options_.password;
  }
  if (options_.will) {
    connect.will.emplace();
    connect.will->topic = options_.will->topic;
    connect.will->payload = options_.will->payload;
    connect.will->qos = static_cast<mqtt::Qos>(options_.will->qos);
    connect.will->retain = options_.will->retain;
  }
  std::string properties;
  if (version_ == mqtt::Version::k5) {
    mqtt::PropertyWriter writer(&properties);
    if (!options_.clean_session) {
      writer.Integer(mqtt::Property::kSessionExpiry,
                     static_cast<std::uint32_t>(options_.session_expiry.count()));
    }
    writer.Integer(mqtt::Property::kReceiveMaximum, kReceiveMaximum);
    writer.Integer(mqtt::Property::kMaximumPacketSize, kMaxIncomingBytes);
    connect.properties = mqtt::Properties(properties);
  }
  mqtt::EncodeConnect(connect, connection_->out());
}

Status Session::OnConnack(const mqtt::Frame& frame) {
  if (version_ == mqtt::Version::k5 && options_.protocol == Protocol::kNewest &&
      RefusesVersion(frame)) {
    version_refused_ = true;
    return Fail(ErrorCode::kRefused, "does not speak MQTT 5");
  }
  const auto connack = mqtt::DecodeConnack(frame, version_);
  if (!connack) {
    return Fail(ErrorCode::kIo, "sent a malformed CONNACK ({})", mqtt::FaultName(connack.error()));
  }
  if (connack->code != 0) {
    next_address_ = addresses_.size();
    return Fail(ErrorCode::kRefused, "the server refused the connection: {}",
                version_ == mqtt::Version::k5
                    ? ReasonText(static_cast<mqtt::Reason>(connack->code), connack->properties)
                    : ConnectCodeText(connack->code));
  }
  TakeServerLimits(connack->properties);
  OnConnected(connack->session_present);
  return {};
}

void Session::TakeServerLimits(const mqtt::Properties& properties) {
  using mqtt::Property;
  limits_ = {};
  const auto integer = [&](Property id) { return properties.Integer(id); };
  if (const auto most = integer(Property::kReceiveMaximum)) {
    limits_.in_flight = std::min<std::size_t>(limits_.in_flight, *most);
  }
  if (const auto qos = integer(Property::kMaximumQos)) limits_.max_qos = static_cast<Qos>(*qos);
  if (const auto retain = integer(Property::kRetainAvailable)) limits_.retain = *retain != 0;
  if (const auto bytes = integer(Property::kMaximumPacketSize)) limits_.packet_bytes = *bytes;
  keep_alive_ = options_.keep_alive;
  if (const auto seconds = integer(Property::kServerKeepAlive)) {
    keep_alive_ = std::chrono::seconds(*seconds);
  }
}

void Session::OnConnected(bool session_present) {
  loop_->CancelTimer(std::exchange(deadline_timer_, 0));
  state_ = State::kConnected;
  connected_at_ns_ = SystemClock().SteadyNs();
  session_present_ = session_present;
  ping_unanswered_ = false;
  if (!session_present_) received_.clear();
  mailbox_->CountConnect();
  SchedulePing();
  for (const auto& [filter, subscription] : subscriptions_) SendSubscribe(filter, subscription.qos);
  if (callbacks_.on_connection) {
    callbacks_.on_connection({.connected = true,
                              .session_present = session_present_,
                              .server = options_.servers[next_server_ - 1],
                              .error = {},
                              .retry_in = {}});
  }
  SendWaiting();
  GoodbyeIfDrained();
}

void Session::OnClosed(const Error& error) {
  retired_ = std::move(connection_);
  RestoreQueue();
  subscribing_.clear();
  incoming_.clear();
  loop_->CancelTimer(std::exchange(ping_timer_, 0));
  if (state_ == State::kGoodbye) return loop_->Stop();
  if (state_ == State::kConnected) {
    const std::int64_t stood_ns = SystemClock().SteadyNs() - connected_at_ns_;
    if (stood_ns >= std::chrono::nanoseconds(kStableAfter).count()) backoff_.Reset();
    return AttemptFailed(error);
  }
  if (std::exchange(version_refused_, false)) {
    old_servers_.insert(next_server_ - 1);
    version_ = mqtt::Version::k311;
    --next_address_;
  }
  if (next_address_ >= addresses_.size()) return ServerFailed(error);
  attempt_timer_ = loop_->RunAfter(std::chrono::nanoseconds(0), [this] { TryNextAddress(); });
}

void Session::AttemptFailed(const Error& error) {
  state_ = State::kWaiting;
  loop_->CancelTimer(std::exchange(deadline_timer_, 0));
  const std::chrono::milliseconds wait = backoff_.Next();
  attempt_timer_ = loop_->RunAfter(wait, [this] { BeginAttempt(); });
  if (callbacks_.on_connection) {
    callbacks_.on_connection({.connected = false,
                              .session_present = false,
                              .server = {},
                              .error = error,
                              .retry_in = wait});
  }
}

void Session::SchedulePing() {
  if (keep_alive_.count() == 0) return;
  ping_timer_ =
      loop_->RunAfter(std::chrono::nanoseconds(keep_alive_) / 2, [this] { OnPingTimer(); });
}

void Session::OnPingTimer() {
  ping_timer_ = 0;
  if (ping_unanswered_) {
    connection_->Close(
        Error{ErrorCode::kTimeout,
              fmt::format("{}: nothing came for half the keep alive of {} s, not even to a ping",
                          options_.servers[next_server_ - 1].ToString(), keep_alive_.count())});
    return;
  }
  ping_unanswered_ = true;
  mqtt::EncodePingreq(connection_->out());
  SchedulePing();
}

void Session::CancelTimers() {
  for (TimerId* timer : {&attempt_timer_, &deadline_timer_, &ping_timer_}) {
    loop_->CancelTimer(std::exchange(*timer, 0));
  }
}

void Session::BeginClose(std::chrono::milliseconds drain) {
  closing_ = true;
  loop_->RunAfter(drain, [this] { Goodbye(); });
  GoodbyeIfDrained();
}

void Session::GoodbyeIfDrained() {
  if (closing_ && mailbox_->queued_packets() == 0) Goodbye();
}

void Session::Goodbye() {
  if (state_ == State::kGoodbye) return;
  const bool was_connected = state_ == State::kConnected;
  if (was_connected) ReleaseConfirmed();
  if (was_connected && state_ != State::kConnected) return loop_->Stop();
  state_ = State::kGoodbye;
  CancelTimers();
  if (!was_connected) return loop_->Stop();
  SendAcks();
  mqtt::EncodeDisconnect({}, version_, connection_->out());
  loop_->RunAfter(kGoodbyeWait, [this] { loop_->Stop(); });
  connection_->FinishSending();
}

std::size_t Session::FailAll() {
  if (connection_) retired_ = std::move(connection_);
  retired_.reset();
  RestoreQueue();
  std::vector<PendingPublish> last = mailbox_->Take().publishes;
  if (spool_) {
    Store(std::move(last));
    spool_->NoteDone();
    return spool_->pending();
  }
  for (PendingPublish& publish : last) waiting_.push_back(std::move(publish));
  const std::size_t left = waiting_.size();
  while (!waiting_.empty()) {
    PendingPublish publish = std::move(waiting_.front());
    waiting_.pop_front();
    Finish(std::move(publish), Fail(ErrorCode::kIo, "{}: the client was closed first",
                                    options_.servers.front().ToString()));
  }
  return left;
}

}  // namespace atalaya::cloud_client
