#include "base/stop_signal.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/check.h"

namespace atalaya {

StopSignal StopSignal::Install() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  ATALAYA_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  UniqueFd fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  ATALAYA_CHECK(fd);
  return StopSignal(std::move(fd));
}

StopSignal::Kind StopSignal::Take() {
  signalfd_siginfo info{};
  if (read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return Kind::kNone;
  return info.ssi_signo == SIGHUP ? Kind::kReload : Kind::kStop;
}

StopSignal::Kind StopSignal::Wait() {
  while (true) {
    pollfd waited{fd_.get(), POLLIN, 0};
    poll(&waited, 1, -1);
    const Kind kind = Take();
    if (kind != Kind::kNone) return kind;
  }
}

}  // namespace atalaya
