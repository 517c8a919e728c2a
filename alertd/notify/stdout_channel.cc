#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "alertd/notify/channel.h"

namespace atalaya::alertd {
namespace {

constexpr int kPollMs = 1'000;  // A reader that is slower holds up this receiver only.
constexpr std::size_t kMaxLineBytes = 2'000;  // Below PIPE_BUF: a writable pipe takes it whole.

// "notice firing CloudServerDown severity=critical firing=1 resolved=0: cloud_server is down"
std::string Line(const Notice& notice) {
  const telemetry::Labels common = CommonLabels(notice);
  const std::string_view severity = common.Get("severity");
  const std::size_t firing = notice.FiringCount();
  const std::string line =
      fmt::format("notice {} {}{}{} firing={} resolved={}: {}", NoticeStatus(notice),
                  GroupName(notice), severity.empty() ? "" : " severity=", severity, firing,
                  notice.alerts.size() - firing, NoticeSummary(notice));
  return OneLine(CutText(line, kMaxLineBytes)) + "\n";
}

Status WriteLine(int fd, const std::string& line) {
  pollfd writable{fd, POLLOUT, 0};
  if (poll(&writable, 1, kPollMs) != 1)
    return Fail(ErrorCode::kTimeout, "stdout: its reader does not read");
  const ssize_t written = write(fd, line.data(), line.size());
  if (written < 0) return Fail(ErrorCode::kIo, "stdout: {}", ErrnoText(errno));
  return {};
}

class StdoutChannel final : public Channel {
 public:
  explicit StdoutChannel(const ChannelContext& context) : context_(context) {}

  void Deliver(const Notice& notice, const std::string& /*target*/, Done done) override {
    context_.workers->Run([line = Line(notice), done = std::move(done)](const std::stop_token&) {
      using Kind = DeliveryOutcome::Kind;
      const Status written = WriteLine(STDOUT_FILENO, line);
      done({written ? Kind::kAccepted : Kind::kRetry, written ? "" : written.error().message,
            std::nullopt});
    });
  }

 private:
  ChannelContext context_;
};

}  // namespace

std::unique_ptr<Channel> MakeStdoutChannel(const ChannelContext& context) {
  return std::make_unique<StdoutChannel>(context);
}

}  // namespace atalaya::alertd
