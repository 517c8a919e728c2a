// What operators ask of a loop's sessions, and how a loop is emptied.

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>

#include "base/net.h"
#include "cloud_server/loop.h"

namespace atalaya::cloud_server {
namespace {

using mqtt::Reason;
using telemetry::Stat;

bool Fits(const ClientQuery& query, const Session& session) {
  const Connection* const connection = session.connection;
  if (session.client_id() <= query.after) return false;
  if (!session.client_id().starts_with(query.prefix)) return false;
  if (query.connected && *query.connected != (connection != nullptr)) return false;
  if (query.user && *query.user != session.user()) return false;
  return !query.protocol || (connection != nullptr && connection->version() == *query.protocol);
}

}  // namespace

// One listing under way: the smallest ids that fit so far.
struct Loop::Listing {
  ClientQuery query;
  std::function<void(std::vector<ClientReport>)> answer;
  std::set<std::string> ids;
};

void Loop::ListClients(const ClientQuery& query,
                       std::function<void(std::vector<ClientReport>)> answer) {
  auto listing = std::make_shared<Listing>(Listing{query, std::move(answer), {}});
  events_->Post([this, listing] { ListSome(listing, {}); });
}

void Loop::ListSome(const std::shared_ptr<Listing>& listing, SessionScan scan) {
  std::set<std::string>& ids = listing->ids;
  const std::size_t limit = listing->query.limit;
  const bool more = ScanSome(&scan, [&](Session* session) {
    if (!Fits(listing->query, *session)) return;
    if (ids.size() >= limit && session->client_id() >= *ids.rbegin()) return;
    ids.insert(session->client_id());
    if (ids.size() > limit) ids.erase(std::prev(ids.end()));
  });
  if (more) return events_->Post([this, listing, scan] { ListSome(listing, scan); });
  std::vector<ClientReport> reports;
  for (const std::string& id : ids) {
    const auto found = sessions_.find(id);
    if (found != sessions_.end()) reports.push_back(ReportOf(**found));
  }
  listing->answer(std::move(reports));
}

void Loop::InspectClient(const std::string& client_id,
                         std::function<void(std::optional<ClientReport>)> answer) {
  events_->Post([this, client_id, answer = std::move(answer)] {
    const auto found = sessions_.find(client_id);
    if (found == sessions_.end()) return answer(std::nullopt);
    ClientReport report = ReportOf(**found);
    for (const auto& [filter, subscriber] : (*found)->subscriptions) {
      if (report.filters.size() == kMaxListedSubscriptions) break;
      report.filters.emplace_back(filter, subscriber.qos);
    }
    answer(std::move(report));
  });
}

void Loop::DisconnectClient(const std::string& client_id, std::function<void(bool)> answer) {
  events_->Post([this, client_id, answer = std::move(answer)] {
    const auto found = sessions_.find(client_id);
    Connection* const connection = found == sessions_.end() ? nullptr : (*found)->connection;
    if (connection != nullptr) {
      connection->CloseSaying(Stat::kClosedAdministrative, Reason::kAdministrativeAction);
    }
    answer(connection != nullptr);
  });
}

ClientReport Loop::ReportOf(const Session& session) const {
  ClientReport report;
  report.id = session.client_id();
  report.user = session.user();
  report.since_ms = session.since_ms;
  report.reason = session.since_reason;
  report.expiry_s = session.expiry_s;
  report.subscriptions = session.subscriptions.size();
  report.queue_packets = session.queue_size();
  report.queue_bytes = session.queue_bytes();
  report.in_flight = session.in_flight();
  const Connection* const connection = session.connection;
  if (connection == nullptr) return report;
  report.connected = true;
  report.protocol = connection->version();
  report.keep_alive_s = connection->keep_alive_s();
  if (const Result<HostPort> peer = PeerAddress(connection->fd()))
    report.address = peer->ToString();
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(connection->fd(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0) {
    report.received_bytes = info.tcpi_bytes_received;
    report.sent_bytes = info.tcpi_bytes_acked;
  }
  return report;
}

void Loop::Drain(std::chrono::nanoseconds within, const std::string& use_server,
                 std::function<void()> done) {
  events_->Post([this, within, use_server, done = std::move(done)] {
    StopAccepting();
    draining_ = std::make_unique<Draining>();
    draining_->end_by_ns = now_ns() + within.count();
    draining_->use_server = use_server;
    draining_->done = done;
    DrainSome();
  });
}

// Closes so many in each tick that the last goes when the time is over: clients that all came back
// at once would be a storm for the server that takes them.
void Loop::DrainSome() {
  if (draining_ == nullptr) return;
  const std::int64_t left_ns = std::max<std::int64_t>(draining_->end_by_ns - now_ns(), 0);
  const auto ticks =
      static_cast<std::size_t>(left_ns / std::chrono::nanoseconds(kLoopTick).count()) + 1;
  std::size_t to_close = (connections_.size() + ticks - 1) / ticks;
  for (auto at = connections_.rbegin(); at != connections_.rend() && to_close > 0; ++at) {
    if ((*at)->closing()) continue;
    (*at)->CloseForAnotherServer(draining_->use_server);
    --to_close;
  }
  if (connections_.empty() && draining_->done) std::exchange(draining_->done, nullptr)();
}

}  // namespace atalaya::cloud_server
