#include "exporter/page_server.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "exporter/page_request.h"

namespace atalaya::exporter {
namespace {

constexpr int kMaxEvents = 64;
constexpr std::uint64_t kListenerBit = 1ull << 63;
constexpr std::uint64_t kWakeId = ~0ull;
constexpr std::size_t kReadBytes = 4096;

std::int64_t NowNs() { return SystemClock().SteadyNs(); }

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

struct PageServer::Connection {
  std::uint64_t id;
  UniqueFd fd;
  std::string in;   // Read, and not served yet.
  std::string out;  // Not taken by the kernel yet.
  std::size_t out_at = 0;
  bool waits_to_write = false;
  bool close_after = false;   // Once `out` is gone.
  bool head_only = false;     // Of the request that is being answered.
  std::int64_t since_ns = 0;  // Of the last thing that happened.

  bool Writing() const { return out_at < out.size(); }
};

PageServer::PageServer(const PageServerOptions& options, PageHandler* handler)
    : options_(options), handler_(handler) {}

PageServer::~PageServer() = default;

Result<std::unique_ptr<PageServer>> PageServer::Create(const PageServerOptions& options,
                                                       PageHandler* handler) {
  std::unique_ptr<PageServer> server(new PageServer(options, handler));
  if (Status listening = server->Listen(); !listening) return Forward(listening.error());
  return server;
}

Status PageServer::Listen() {
  epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  wake_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeId;
  if (!epoll_ || !wake_ || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0)
    return Fail(ErrorCode::kIo, "epoll: {}", ErrnoText(errno));
  for (const HostPort& address : options_.listen) {
    Result<UniqueFd> listener = ListenTcp(address);
    if (!listener) return Forward(listener.error());
    const Result<HostPort> real = LocalAddress(listener->get());
    if (!real) return Forward(real.error());
    addresses_.push_back(*real);
    event.data.u64 = kListenerBit | listeners_.size();
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener->get(), &event);
    listeners_.push_back(std::move(*listener));
  }
  return {};
}

void PageServer::WakeUp() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void PageServer::Turn() {
  if (answering_ != 0) {
    // Another thread was left behind in the middle of this answer.
    PageResponse response;
    if (!handler_->GoOn(response)) return;
    const std::uint64_t id = std::exchange(answering_, 0);
    const auto found = connections_.find(id);
    if (found != connections_.end()) Send(*found->second, response);
    // Sending may have closed it.
    if (connections_.contains(id) && !ServeRequests(*found->second)) return;
  }
  std::array<epoll_event, kMaxEvents> events;
  const int count = epoll_wait(epoll_.get(), events.data(), kMaxEvents, CloseLate());
  for (int i = 0; i < count; ++i) {
    const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
    if (id == kWakeId) return;
    if ((id & kListenerBit) != 0) {
      Accept(listeners_[id & ~kListenerBit].get());
      continue;
    }
    const auto found = connections_.find(id);
    if (found == connections_.end()) continue;  // Closed meanwhile.
    Connection& connection = *found->second;
    const std::uint32_t what = events[static_cast<std::size_t>(i)].events;
    if ((what & EPOLLOUT) != 0) Flush(connection);
    if (!connections_.contains(id)) continue;
    if ((what & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0 && !OnReadable(connection))
      return;  // Left behind: the others are still reported to the next thread.
  }
}

void PageServer::Accept(int listener) {
  while (true) {
    UniqueFd fd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      // Out of descriptors: the one that is idle for longest makes room.
      if ((errno == EMFILE || errno == ENFILE) && !connections_.empty()) CloseIdlest();
      return;
    }
    if (connections_.size() >= options_.max_connections) CloseIdlest();
    SetNoDelay(fd.get());
    auto connection = std::make_unique<Connection>();
    connection->id = ++last_id_;
    connection->since_ns = NowNs();
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.u64 = connection->id;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) continue;
    connection->fd = std::move(fd);
    connections_.emplace(connection->id, std::move(connection));
  }
}

// False where this thread has been left behind.
bool PageServer::OnReadable(Connection& connection) {
  const std::size_t have = connection.in.size();
  connection.in.resize(have + kReadBytes);
  const ssize_t got = recv(connection.fd.get(), connection.in.data() + have, kReadBytes, 0);
  const int error = errno;
  connection.in.resize(have + (got > 0 ? static_cast<std::size_t>(got) : 0));
  if (got == 0 || (got < 0 && error != EAGAIN && error != EINTR)) {
    Close(connection.id);
    return true;
  }
  if (got < 0) return true;
  // The time of a request runs from its first byte, however slowly the others come.
  if (have == 0) connection.since_ns = NowNs();
  return ServeRequests(connection);
}

// Answers what has come whole. False where this thread has been left behind.
bool PageServer::ServeRequests(Connection& connection) {
  const std::uint64_t id = connection.id;
  while (!connection.Writing() && !connection.close_after && !connection.in.empty()) {
    HttpRequest request;
    PageResponse response;
    const ParsedRequest parsed = ParsePageRequest(connection.in, request);
    if (parsed.outcome == ParsedRequest::kIncomplete) {
      if (connection.in.size() < kMaxRequestBytes) return true;
      response.status = 431;
    } else if (parsed.outcome == ParsedRequest::kBad) {
      response.status = parsed.status;
    }
    connection.head_only = request.method == "HEAD";
    connection.close_after = !parsed.keep_alive;
    if (response.status != 200) {
      response.body = ReasonOf(response.status);
      if (response.status == 405) response.headers = "Allow: GET, HEAD\r\n";
      connection.close_after = true;
      Send(connection, response);
      return true;
    }
    connection.in.erase(0, parsed.bytes);
    if (connection.head_only) request.method = "GET";
    answering_ = id;
    if (!handler_->Answer(request, response)) return false;
    answering_ = 0;
    Send(connection, response);
    if (!connections_.contains(id)) return true;
  }
  return true;
}

void PageServer::Send(Connection& connection, const PageResponse& response) {
  head_.assign("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  head_.append(ReasonOf(response.status)).append("\r\nContent-Type: ");
  head_.append(response.content_type).append("\r\nContent-Length: ");
  head_.append(std::to_string(response.body.size())).append("\r\n").append(response.headers);
  head_.append(connection.close_after ? "Connection: close\r\n\r\n" : "\r\n");
  const std::string_view body = connection.head_only ? std::string_view() : response.body;
  std::array<iovec, 2> parts{
      {{head_.data(), head_.size()}, {const_cast<char*>(body.data()), body.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = body.empty() ? 1 : 2;
  const ssize_t sent = sendmsg(connection.fd.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  connection.since_ns = NowNs();
  std::size_t done = sent > 0 ? static_cast<std::size_t>(sent) : 0;
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    Close(connection.id);
    return;
  }
  if (done == head_.size() + body.size()) {
    if (connection.close_after) Close(connection.id);
    return;
  }
  connection.out_at = 0;
  connection.out.clear();
  if (done < head_.size()) connection.out.assign(head_, done, head_.size() - done);
  done -= std::min(done, head_.size());
  connection.out.append(body.substr(done));
  Flush(connection);
}

void PageServer::Flush(Connection& connection) {
  while (connection.Writing()) {
    const ssize_t sent =
        send(connection.fd.get(), connection.out.data() + connection.out_at,
             connection.out.size() - connection.out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      Close(connection.id);
      return;
    }
    if (sent <= 0) break;
    connection.out_at += static_cast<std::size_t>(sent);
    connection.since_ns = NowNs();
  }
  const bool waits = connection.Writing();
  if (!waits) {
    connection.out = std::string();  // A page is large; most clients take it at once.
    connection.out_at = 0;
    if (connection.close_after) {
      Close(connection.id);
      return;
    }
  }
  if (waits == connection.waits_to_write) return;
  connection.waits_to_write = waits;
  epoll_event event{};
  // A client that takes nothing gets nothing more read from it, either.
  event.events = waits ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
  event.data.u64 = connection.id;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), &event);
}

void PageServer::Close(std::uint64_t id) { connections_.erase(id); }

void PageServer::CloseIdlest() {
  const auto idlest = std::min_element(
      connections_.begin(), connections_.end(),
      [](const auto& a, const auto& b) { return a.second->since_ns < b.second->since_ns; });
  if (idlest != connections_.end()) connections_.erase(idlest);
}

// Closes who is too late; milliseconds until the next one is, or -1.
int PageServer::CloseLate() {
  const std::int64_t now_ns = NowNs();
  std::int64_t soonest_ns = -1;
  for (auto it = connections_.begin(); it != connections_.end();) {
    const Connection& connection = *it->second;
    const auto limit = connection.Writing()    ? options_.write_timeout
                       : connection.in.empty() ? options_.idle_timeout
                                               : options_.request_timeout;
    const std::int64_t left_ns =
        connection.since_ns + std::chrono::nanoseconds(limit).count() - now_ns;
    if (left_ns <= 0) {
      it = connections_.erase(it);
      continue;
    }
    if (soonest_ns < 0 || left_ns < soonest_ns) soonest_ns = left_ns;
    ++it;
  }
  return soonest_ns < 0 ? -1 : static_cast<int>(soonest_ns / 1'000'000 + 1);
}

}  // namespace atalaya::exporter
