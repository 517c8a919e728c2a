// Who may connect, publish and subscribe, asked on the loop's thread; passwords are looked up by
// the pool.

#include <algorithm>

#include "base/log.h"
#include "base/net.h"
#include "cloud_server/loop.h"
#include "cloud_server/own_topics.h"

namespace atalaya::cloud_server {
namespace {

using mqtt::Reason;
using telemetry::Stat;

// The host at the other end, an IPv4 address as such also where it came to an IPv6 socket.
std::string PeerHost(int fd) {
  constexpr std::string_view kMapped = "::ffff:";
  const Result<HostPort> peer = PeerAddress(fd);
  if (!peer) return "";
  return peer->host.starts_with(kMapped) ? peer->host.substr(kMapped.size()) : peer->host;
}

}  // namespace

LoginOutcome Loop::LogIn(Connection* connection, const mqtt::Connect& packet) {
  if (const auto found = logins_.find(connection); found != logins_.end()) {
    return FinishLogin(found, packet);
  }
  LoginOutcome outcome;
  outcome.user = connection->certificate_name();
  outcome.by_certificate = !outcome.user.empty();
  if (outcome.by_certificate) return outcome;
  const bool has_password = packet.username && access_->passwords() != nullptr;
  // Only loopback reaches a listener on loopback: no need to ask for the peer's address.
  const HostPort& listens_on = hub_->listeners[connection->listener()]->address();
  if (!has_password && access_->MayBeAnonymous(IsLoopback(listens_on.host))) return outcome;
  const std::string host = PeerHost(connection->fd());
  if (has_password) {
    outcome.user = *packet.username;
    const std::string_view password = packet.password.value_or(std::string_view());
    if (!access_->passwords()->Remembers(outcome.user, password)) {
      BeginLogin(connection, AddressKey(host), &outcome);
    }
    return outcome;
  }
  if (!access_->MayBeAnonymous(IsLoopback(host))) {
    outcome.reason = Reason::kNotAuthorized;
    outcome.counter = Stat::kRefusedNotAuthorized;
  }
  return outcome;
}

void Loop::BeginLogin(Connection* connection, std::string address, LoginOutcome* outcome) {
  const std::optional<std::chrono::nanoseconds> wait = hub_->login_delays.TakeTurn(address);
  if (!wait) {
    outcome->reason = Reason::kConnectionRateExceeded;
    outcome->counter = Stat::kRefusedLoginRate;
    return;
  }
  outcome->waits = true;
  const std::uint64_t ticket = ++last_ticket_;
  logins_[connection] = {ticket, std::move(address), Login::State::kWaits};
  if (*wait > std::chrono::nanoseconds(0)) {
    events_->RunAfter(*wait, [this, connection, ticket] { OnLoginTurn(connection, ticket); });
  } else {
    OnLoginTurn(connection, ticket);
  }
}

// The connection's turn has come, if it still waits: it reads its CONNECT again for the password,
// rather than that a copy of it is kept all the while.
void Loop::OnLoginTurn(Connection* connection, std::uint64_t ticket) {
  const auto found = logins_.find(connection);
  if (found == logins_.end() || found->second.ticket != ticket) return;
  found->second.state = Login::State::kTurn;
  events_->Post([this, connection, ticket] { ResumeLogin(connection, ticket); });
}

void Loop::ResumeLogin(Connection* connection, std::uint64_t ticket) {
  const auto found = logins_.find(connection);
  if (found == logins_.end() || found->second.ticket != ticket || stop_reading_) return;
  connection->ResumeConnect();
}

LoginOutcome Loop::FinishLogin(Logins::iterator found, const mqtt::Connect& packet) {
  LoginOutcome outcome;
  outcome.user = packet.username.value_or(std::string_view());
  Login& login = found->second;
  if (login.state == Login::State::kTurn) {
    login.state = Login::State::kWaits;
    outcome.waits = SubmitLogin(found->first, login.ticket, packet);
    if (outcome.waits) return outcome;
    outcome.reason = Reason::kServerBusy;
    outcome.counter = Stat::kRefusedLoginsBusy;
  } else if (login.state == Login::State::kWaits) {
    outcome.waits = true;
    return outcome;
  } else if (login.state == Login::State::kWrong) {
    hub_->login_delays.NoteFailure(login.address);
    outcome.reason = Reason::kBadCredentials;
    outcome.counter = Stat::kRefusedBadCredentials;
  }
  logins_.erase(found);
  return outcome;
}

bool Loop::SubmitLogin(Connection* connection, std::uint64_t ticket, const mqtt::Connect& packet) {
  const std::shared_ptr<Passwords>& passwords = access_->passwords();
  if (passwords == nullptr) {  // A reload has taken them away meanwhile.
    logins_[connection].state = Login::State::kWrong;
    events_->Post([this, connection, ticket] { ResumeLogin(connection, ticket); });
    return true;
  }
  return hub_->login_pool.Submit(
      {passwords, std::string(packet.username.value_or(std::string_view())),
       std::string(packet.password.value_or(std::string_view())),
       [this, connection, ticket](bool is_good) {
         events_->Post([this, connection, ticket, is_good] {
           const auto found = logins_.find(connection);
           if (found == logins_.end() || found->second.ticket != ticket) return;
           found->second.state = is_good ? Login::State::kGood : Login::State::kWrong;
           ResumeLogin(connection, ticket);
         });
       }});
}

Reason Loop::MayConnect(const LoginOutcome& login, std::string_view client_id,
                        const std::optional<mqtt::Will>& will) const {
  if (const auto found = sessions_.find(client_id); found != sessions_.end()) {
    // A session is its user's. One that was begun without a name is anybody's.
    const std::string_view owner = (*found)->user();
    if (!owner.empty() && owner != login.user) return Reason::kNotAuthorized;
  }
  if (!will) return Reason::kSuccess;
  return access_->MayPublish({login.user, client_id}, will->topic, will->retain).reason;
}

Verdict Loop::MayPublish(Session* session, std::string_view topic, bool retain) {
  const Who who{session->user(), session->client_id()};
  if (!has_acl_ || IsUnder(topic, kMailLevel)) return access_->MayPublish(who, topic, retain);
  if (session->rights == nullptr) session->rights = std::make_unique<Rights>();
  Rights& rights = *session->rights;
  if (rights.rules != rules_) {
    rights.decisions = {};
    rights.rules = rules_;
  }
  Rights::Decision& decision = rights.decisions[HashBytes(topic) % rights.decisions.size()];
  if (decision.topic != topic) {
    decision.topic = topic;
    decision.verdict = access_->MayPublish(who, topic, retain);
  }
  return decision.verdict;
}

void Loop::SetAccess(std::shared_ptr<const Access> access) {
  events_->Post([this, access = std::move(access)] {
    const std::shared_ptr<const Access> before = std::exchange(access_, access);
    has_acl_ = access_->has_acl();
    ++rules_;
    ApplyAccess(before, {}, rules_);
  });
}

// Goes through the sessions, some in a turn, so that a reload is not felt.
void Loop::ApplyAccess(const std::shared_ptr<const Access>& before, SessionScan scan,
                       std::uint64_t rules) {
  if (rules != rules_) return;  // A later reload goes through them again.
  const bool more = ScanSome(&scan, [&](Session* session) {
    if (Connection* const connection = session->connection; connection != nullptr) {
      if (!MayStay(*session, connection->fd(), *before)) {
        connection->CloseSaying(Stat::kClosedNotAuthorized, Reason::kNotAuthorized,
                                "the configuration has changed");
      }
    }
    DropUnreadable(session);
  });
  if (more) events_->Post([this, before, scan, rules] { ApplyAccess(before, scan, rules); });
}

bool Loop::MayStay(const Session& session, int fd, const Access& before) const {
  if (session.user().empty()) return access_->MayBeAnonymous(IsLoopback(PeerHost(fd)));
  if (session.rights->by_certificate) return true;  // TLS decides about certificates.
  return access_->passwords() != nullptr && before.passwords() != nullptr &&
         access_->passwords()->SameUser(*before.passwords(), session.user());
}

void Loop::DropUnreadable(Session* session) {
  std::vector<std::string> filters;
  const Who who{session->user(), session->client_id()};
  for (const auto& [filter, subscriber] : session->subscriptions) {
    if (!access_->MaySubscribe(who, filter).allowed()) filters.push_back(filter);
  }
  if (filters.empty()) return;
  mqtt::Unsubscribe packet;
  packet.filters.assign(filters.begin(), filters.end());
  Unsubscribe(session, packet);
  stats_->Add(Stat::kSubscriptionsEndedNotAuthorized, static_cast<std::int64_t>(filters.size()));
}

}  // namespace atalaya::cloud_server
