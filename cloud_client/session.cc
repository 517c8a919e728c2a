#include "cloud_client/session.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_client {
namespace {

// A connection that stood this long was a good one: the next wait is short again. Without it two
// clients with one id would throw each other out twice a second for ever.
constexpr std::chrono::seconds kStableAfter{5};

// How long a server may take to hang up after DISCONNECT; until then what was sent may still be on
// its way.
constexpr std::chrono::milliseconds kGoodbyeWait{500};

std::string_view ConnectCodeText(std::uint8_t code) {
  switch (static_cast<mqtt::ConnectCode>(code)) {
    case mqtt::ConnectCode::kBadVersion:
      return "it does not speak MQTT 3.1.1";
    case mqtt::ConnectCode::kBadClientId:
      return "it does not accept the client id";
    case mqtt::ConnectCode::kUnavailable:
      return "it is not available";
    case mqtt::ConnectCode::kBadCredentials:
      return "wrong user name or password";
    case mqtt::ConnectCode::kNotAuthorized:
      return "not authorized";
    default:
      return "no reason that MQTT 3.1.1 knows";
  }
}

}  // namespace

Session::Session(EventLoop* loop, ClientOptions options, ClientCallbacks callbacks,
                 std::shared_ptr<Mailbox> mailbox, Backoff backoff)
    : loop_(loop),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      mailbox_(std::move(mailbox)),
      backoff_(std::move(backoff)) {}

Session::~Session() { CancelTimers(); }

void Session::Start() { Resolve(); }

void Session::TakeLetters() {
  Mailbox::Letters letters = mailbox_->Take();
  for (PendingPublish& publish : letters.publishes) waiting_.push_back(std::move(publish));
  for (const std::uint64_t message : letters.handled) OnHandled(message);
  for (const std::function<void()>& call : letters.calls) call();
  SendWaiting();
}

void Session::TurnEnd() {
  while (connection_ && connection_->wants_flush()) connection_->Flush();
}

void Session::Resolve() {
  attempt_timer_ = 0;
  state_ = State::kConnecting;
  next_address_ = 0;
  Result<std::vector<HostPort>> addresses = ResolveTcp(options_.server);
  if (!addresses) return AttemptFailed(addresses.error());
  addresses_ = std::move(*addresses);
  deadline_timer_ = loop_->RunAfter(options_.connect_timeout, [this] {
    deadline_timer_ = 0;
    next_address_ = addresses_.size();
    Error error{ErrorCode::kTimeout,
                fmt::format("{}: no answer within {} ms", options_.server.ToString(),
                            options_.connect_timeout.count())};
    if (connection_) return connection_->Close(std::move(error));
    loop_->CancelTimer(std::exchange(attempt_timer_, 0));
    AttemptFailed(error);
  });
  TryNextAddress();
}

// A name may stand for several addresses (localhost for ::1 and 127.0.0.1): one attempt tries them
// all.
void Session::TryNextAddress() {
  attempt_timer_ = 0;
  Error error{ErrorCode::kNotFound, fmt::format("{}: has no address", options_.server.ToString())};
  while (next_address_ < addresses_.size()) {
    ConnectionHooks hooks{[this] { SendConnect(); },
                          [this](const mqtt::Frame& frame) { return OnFrame(frame); },
                          [this] { OnWritten(); }, [this](const Error& why) { OnClosed(why); }};
    Result<std::unique_ptr<Connection>> connection =
        Connection::Open(loop_, addresses_[next_address_++], std::move(hooks));
    if (connection) {
      connection_ = std::move(*connection);
      return;
    }
    error = connection.error();
  }
  AttemptFailed(error);
}

void Session::SendConnect() {
  mqtt::Connect connect;
  connect.clean_start = options_.clean_session;
  connect.keep_alive_s = static_cast<std::uint16_t>(options_.keep_alive.count());
  connect.client_id = options_.client_id;
  if (options_.will) {
    connect.will.emplace();
    connect.will->topic = options_.will->topic;
    connect.will->payload = options_.will->payload;
    connect.will->qos = static_cast<mqtt::Qos>(options_.will->qos);
    connect.will->retain = options_.will->retain;
  }
  mqtt::EncodeConnect(connect, connection_->out());
}

Status Session::OnConnack(const mqtt::Frame& frame) {
  const auto connack = mqtt::DecodeConnack(frame, mqtt::Version::k311);
  if (!connack) {
    return Fail(ErrorCode::kIo, "sent a malformed CONNACK ({})", mqtt::FaultName(connack.error()));
  }
  if (connack->code != 0) {
    next_address_ = addresses_.size();
    return Fail(ErrorCode::kRefused, "the server refused the connection: {} (code {})",
                ConnectCodeText(connack->code), connack->code);
  }
  loop_->CancelTimer(std::exchange(deadline_timer_, 0));
  state_ = State::kConnected;
  connected_at_ns_ = SystemClock().SteadyNs();
  session_present_ = connack->session_present;
  ping_unanswered_ = false;
  mailbox_->CountConnect();
  SchedulePing();
  for (const auto& [filter, subscription] : subscriptions_) SendSubscribe(filter, subscription.qos);
  if (callbacks_.on_connection) {
    callbacks_.on_connection(
        {.connected = true, .session_present = session_present_, .error = {}, .retry_in = {}});
  }
  SendWaiting();
  GoodbyeIfDrained();
  return {};
}

void Session::OnClosed(const Error& error) {
  retired_ = std::move(connection_);
  RestoreQueue();
  subscribing_.clear();
  incoming_.clear();
  loop_->CancelTimer(std::exchange(ping_timer_, 0));
  if (state_ == State::kGoodbye) return loop_->Stop();
  if (state_ == State::kConnecting && next_address_ < addresses_.size()) {
    attempt_timer_ = loop_->RunAfter(std::chrono::nanoseconds(0), [this] { TryNextAddress(); });
    return;
  }
  const std::int64_t stood_ns = SystemClock().SteadyNs() - connected_at_ns_;
  if (state_ == State::kConnected && stood_ns >= std::chrono::nanoseconds(kStableAfter).count()) {
    backoff_.Reset();
  }
  AttemptFailed(error);
}

void Session::AttemptFailed(const Error& error) {
  state_ = State::kWaiting;
  loop_->CancelTimer(std::exchange(deadline_timer_, 0));
  const std::chrono::milliseconds wait = backoff_.Next();
  attempt_timer_ = loop_->RunAfter(wait, [this] { Resolve(); });
  if (callbacks_.on_connection) {
    callbacks_.on_connection(
        {.connected = false, .session_present = false, .error = error, .retry_in = wait});
  }
}

void Session::SchedulePing() {
  if (options_.keep_alive.count() == 0) return;
  ping_timer_ =
      loop_->RunAfter(std::chrono::nanoseconds(options_.keep_alive) / 2, [this] { OnPingTimer(); });
}

void Session::OnPingTimer() {
  ping_timer_ = 0;
  if (ping_unanswered_) {
    connection_->Close(
        Error{ErrorCode::kTimeout,
              fmt::format("{}: nothing came for half the keep alive of {} s, not even to a ping",
                          options_.server.ToString(), options_.keep_alive.count())});
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
  state_ = State::kGoodbye;
  CancelTimers();
  if (!was_connected) return loop_->Stop();
  mqtt::EncodeDisconnect({}, mqtt::Version::k311, connection_->out());
  loop_->RunAfter(kGoodbyeWait, [this] { loop_->Stop(); });
  connection_->FinishSending();
}

std::size_t Session::FailAll() {
  if (connection_) retired_ = std::move(connection_);
  retired_.reset();
  RestoreQueue();
  for (PendingPublish& publish : mailbox_->Take().publishes) waiting_.push_back(std::move(publish));
  const std::size_t left = waiting_.size();
  while (!waiting_.empty()) {
    PendingPublish publish = std::move(waiting_.front());
    waiting_.pop_front();
    Finish(std::move(publish),
           Fail(ErrorCode::kIo, "{}: the client was closed first", options_.server.ToString()));
  }
  return left;
}

}  // namespace atalaya::cloud_client
