#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bench/meter/modes.h"
#include "bench/meter/quit.h"
#include "bench/meter/tls_stream.h"
#include "bench/meter/usage.h"

namespace atalaya::bench {
namespace {

constexpr std::chrono::milliseconds kPause{100};
constexpr int kLongestPauses = 40;

// Connects many clients from one thread, a bounded number of them at a time.
class Crowd {
 public:
  Crowd(const Target& target, const IdlePlan& plan)
      : target_(target),
        plan_(plan),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        members_(plan.connections) {}

  void ConnectAll() {
    std::size_t started = 0;
    while (served_ < members_.size()) {
      for (; started < members_.size() && started < served_ + plan_.concurrent; ++started)
        Start(started);
      std::array<epoll_event, 512> events;
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), kSilenceMs);
      if (count <= 0) Quit("the server fell silent after {} connections", served_);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        Step(event.data.u64, event.events);
      }
    }
  }

 private:
  struct Member {
    UniqueFd fd;
    std::optional<TlsStream> tls;  // Of a plan with TLS, once connected.
    bool spoke = false;
    std::string answer;
  };

  void Watch(int operation, std::size_t i, std::uint32_t wanted) {
    epoll_event event{};
    event.events = wanted;
    event.data.u64 = i;
    if (epoll_ctl(epoll_.get(), operation, members_[i].fd.get(), &event) != 0)
      Quit("epoll_ctl: {}", ErrnoText(errno));
  }

  void Start(std::size_t i) {
    members_[i].fd.Reset(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(target_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int connected =
        connect(members_[i].fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (connected != 0 && errno != EINPROGRESS) Quit("connection {}: {}", i, ErrnoText(errno));
    Watch(EPOLL_CTL_ADD, i, EPOLLOUT);
  }

  void Step(std::size_t i, std::uint32_t happened) {
    Member& member = members_[i];
    if (!member.spoke) return Greet(i, &member, happened);
    std::array<char, 4096> bytes;
    std::size_t got = 0;
    if (member.tls) {
      got = member.tls->Read(bytes.data(), bytes.size());
    } else {
      const ssize_t plain = recv(member.fd.get(), bytes.data(), bytes.size(), 0);
      if (plain <= 0) Quit("connection {} was refused", i);
      got = static_cast<std::size_t>(plain);
    }
    member.answer.append(bytes.data(), got);
    if (!IsServed(member)) return;
    member.answer = {};
    ++served_;
  }

  void Greet(std::size_t i, Member* member, std::uint32_t happened) {
    if ((happened & (EPOLLERR | EPOLLHUP)) != 0) Quit("connection {} was refused", i);
    if (plan_.tls) {
      if (!member->tls) member->tls.emplace(member->fd.get());
      const TlsStream::Wants wants = member->tls->Handshake();
      if (wants == TlsStream::Wants::kRead) return Watch(EPOLL_CTL_MOD, i, EPOLLIN);
      if (wants == TlsStream::Wants::kWrite) return Watch(EPOLL_CTL_MOD, i, EPOLLOUT);
    }
    const std::string hello = ConnectBytes(target_.protocol, fmt::format("c{}", i));
    if (member->tls) {
      member->tls->Write(hello);
    } else if (send(member->fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) !=
               static_cast<ssize_t>(hello.size())) {
      Quit("connection {} was refused", i);
    }
    member->spoke = true;
    Watch(EPOLL_CTL_MOD, i, EPOLLIN);
  }

  bool IsServed(const Member& member) const {
    if (target_.protocol == Protocol::kNats) return member.answer.ends_with("PONG\r\n");
    return member.answer.size() >= kConnackBytes;
  }

  const Target& target_;
  const IdlePlan& plan_;
  UniqueFd epoll_;
  std::vector<Member> members_;
  std::size_t served_ = 0;
};

// Until the server has done what a burst of ends or connects has left it to do.
void AwaitRest(pid_t pid) {
  std::int64_t before_ns = -1'000'000'000;
  for (int i = 0; i < kLongestPauses; ++i) {
    std::this_thread::sleep_for(kPause);
    const std::int64_t now_ns = ServerCpuNs(pid);
    if (now_ns - before_ns < 500'000) return;
    before_ns = now_ns;
  }
}

}  // namespace

void RunIdle(const Target& target, const IdlePlan& plan) {
  const auto count = static_cast<std::int64_t>(plan.connections);
  const std::int64_t rss_before = ServerRssBytes(target.pid);
  for (int repeat = 0; repeat < plan.repeats; ++repeat) {
    Crowd crowd(target, plan);
    const Interval interval(target.pid);
    crowd.ConnectAll();
    const double connected_s = interval.seconds();
    AwaitRest(target.pid);
    const double bytes_each =
        static_cast<double>(ServerRssBytes(target.pid) - rss_before) / static_cast<double>(count);
    interval.Print(
        count, count,
        fmt::format(", \"connected_s\": {:.3f}, \"bytes_each\": {:.0f}", connected_s, bytes_each));
  }
  AwaitRest(target.pid);
}

}  // namespace atalaya::bench
