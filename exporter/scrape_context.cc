#include "exporter/scrape_context.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "exporter/collector.h"

namespace atalaya::exporter {
namespace {

constexpr unsigned kKernelUevents = 1;  // The group that the kernel itself sends to.
constexpr int kMaxDrained = 256;        // Messages taken off one socket in one scrape.

UniqueFd ListenTo(int protocol, unsigned groups) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (fd && bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fd.Reset();
  return fd;
}

// Whether anything lay in the socket. A full one (ENOBUFS) has lost messages, so it counts.
bool Drain(const UniqueFd& fd) {
  bool any = false;
  char byte;
  for (int i = 0; i < kMaxDrained; ++i) {
    if (recv(fd.get(), &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC) < 0)
      return any || errno == ENOBUFS;
    any = true;
  }
  return any;
}

}  // namespace

ScrapeContext::ScrapeContext(const std::filesystem::path& procfs,
                             const std::filesystem::path& sysfs, const Clock& clock)
    : clock_(clock), live_(sysfs == "/sys"), stat_file_(procfs / "stat", FileShape::kWhole) {
  if (!live_) return;
  uevents_ = ListenTo(NETLINK_KOBJECT_UEVENT, kKernelUevents);
  links_ = ListenTo(NETLINK_ROUTE, RTMGRP_LINK);
}

void ScrapeContext::Begin() {
  const std::int64_t now_ns = clock_.SteadyNs();
  if (HeardChange() || now_ns - facts_since_ns_ > std::chrono::nanoseconds(kFactsAge).count()) {
    facts_since_ns_ = now_ns;
    generation_.fetch_add(1, std::memory_order_relaxed);
  }
  const std::lock_guard lock(mutex_);
  stat_read_ = false;
}

bool ScrapeContext::HeardChange() {
  if (!uevents_ || !links_) return true;
  const bool devices = Drain(uevents_);
  return Drain(links_) || devices;
}

Result<std::shared_ptr<const std::string>> ScrapeContext::Stat() {
  const std::lock_guard lock(mutex_);
  if (stat_read_ && stat_ && !forget_always_) return stat_;
  const Result<std::string_view> content = stat_file_.Read();
  if (!content) return Forward(content.error());
  // A thread that an older scrape left behind may still look at the last one.
  if (!stat_ || stat_.use_count() > 1) stat_ = std::make_shared<std::string>();
  stat_->assign(*content);
  stat_read_ = true;
  return stat_;
}

std::shared_ptr<ScrapeContext> ContextOf(const CollectorOptions& options) {
  if (options.context) return options.context;
  auto own = std::make_shared<ScrapeContext>(options.procfs, "", *options.clock);
  own->ForgetAlways();
  return own;
}

}  // namespace atalaya::exporter
