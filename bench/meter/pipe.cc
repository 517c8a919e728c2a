#include "bench/meter/pipe.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/result.h"
#include "bench/meter/quit.h"

namespace atalaya::bench {
namespace {

constexpr std::int64_t kWriteBytes = 64 << 10;
constexpr std::size_t kReadBytes = 256u << 10;

}  // namespace

Stream::Stream(Client* client, std::string block, std::size_t packet_bytes)
    : client_(client),
      block_(std::move(block)),
      packet_bytes_(static_cast<std::int64_t>(packet_bytes)) {}

void Stream::SendUpTo(std::int64_t limit, std::int64_t least) {
  const std::int64_t open = limit * packet_bytes_ - sent_bytes_;
  if (open <= 0 || open < least * packet_bytes_) return;
  const auto size = static_cast<std::int64_t>(block_.size());
  const std::int64_t at = sent_bytes_ % size;
  const std::int64_t bytes = std::min({open, kWriteBytes, size - at});
  sent_bytes_ += static_cast<std::int64_t>(client_->WriteSome(std::string_view(block_).substr(
      static_cast<std::size_t>(at), static_cast<std::size_t>(bytes))));
}

Drain::Drain(std::size_t message_bytes)
    : message_bytes_(static_cast<std::int64_t>(message_bytes)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kReadBytes, '\0') {
  if (!epoll_) Quit("epoll_create1: {}", ErrnoText(errno));
}

void Drain::Add(Client* client) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = clients_.size();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client->fd(), &event) != 0) {
    Quit("epoll_ctl: {}", ErrnoText(errno));
  }
  clients_.push_back(client);
  bytes_.push_back(0);
}

void Drain::Read() {
  std::array<epoll_event, 256> events;
  int count = epoll_wait(epoll_.get(), events.data(), events.size(), 0);
  if (count == 0) count = epoll_wait(epoll_.get(), events.data(), events.size(), 1);
  for (int i = 0; i < count; ++i) {
    const std::size_t at = events[static_cast<std::size_t>(i)].data.u64;
    const auto got = static_cast<std::int64_t>(clients_[at]->Read(buffer_.data(), buffer_.size()));
    bytes_[at] += got;
    total_bytes_ += got;
  }
}

}  // namespace atalaya::bench
