#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/unique_fd.h"
#include "exporter/collector_table.h"

namespace atalaya::exporter {
namespace {

constexpr std::size_t kTcpDiagBufferBytes = 32u << 10;
constexpr std::array<std::string_view, 12> kTcpStates = {
    "",      "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait",
    "close", "close_wait",  "last_ack", "listen",   "closing"};  // By the kernel's number.

// Counts the sockets of this network namespace by asking the kernel over netlink.
class Tcpstat final : public Collector {
 public:
  Status Collect(telemetry::TextWriter& out) override {
    counts_ = {};
    receive_bytes_ = transmit_bytes_ = 0;
    for (const int family : {AF_INET, AF_INET6}) {
      if (Status dumped = Dump(static_cast<unsigned char>(family)); !dumped) return dumped;
    }
    out.Family("node_tcp_connection_states", telemetry::MetricType::kGauge,
               "TCP sockets, by state, and bytes in their queues.");
    for (std::size_t state = 1; state < counts_.size(); ++state) {
      if (counts_[state] > 0) out.Sample(LabelsOf(kTcpStates[state]), counts_[state]);
    }
    out.Sample(LabelsOf("rx_queued_bytes"), receive_bytes_);
    out.Sample(LabelsOf("tx_queued_bytes"), transmit_bytes_);
    return {};
  }

 private:
  std::string_view LabelsOf(std::string_view state) {
    labels_ = telemetry::LabelText("state", state);
    return labels_.text();
  }

  Status Dump(unsigned char family) {
    if (!socket_) socket_.Reset(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    struct {
      nlmsghdr header;
      inet_diag_req_v2 request;
    } message{};
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.header.nlmsg_seq = ++sequence_;
    message.request.sdiag_family = family;
    message.request.sdiag_protocol = IPPROTO_TCP;
    message.request.idiag_states = (1u << kTcpStates.size()) - 1;
    if (!socket_ || send(socket_.get(), &message, sizeof message, 0) < 0) return Failed();
    buffer_.resize(kTcpDiagBufferBytes);
    bool done = false;
    while (!done) {
      const ssize_t got = recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return Failed();
      if (Status read = ReadAnswer(static_cast<std::size_t>(got), done); !read) return read;
    }
    return {};
  }

  Status Failed() {
    const int error = errno;
    socket_.Reset();
    return Fail(ErrorCode::kIo, "sock_diag: {}", ErrnoText(error));
  }

  Status ReadAnswer(std::size_t bytes, bool& done) {
    std::size_t at = 0;
    nlmsghdr header;
    while (bytes - at >= sizeof header) {
      std::memcpy(&header, buffer_.data() + at, sizeof header);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes - at) break;
      // What an earlier request, given up half way, has left in the socket is passed over.
      if (header.nlmsg_seq == sequence_) {
        if (header.nlmsg_type == NLMSG_DONE) done = true;
        if (header.nlmsg_type == NLMSG_ERROR) {
          socket_.Reset();
          return Fail(ErrorCode::kIo, "sock_diag: refused by the kernel");
        }
        if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
            header.nlmsg_len >= NLMSG_HDRLEN + sizeof(inet_diag_msg)) {
          inet_diag_msg entry;
          std::memcpy(&entry, buffer_.data() + at + NLMSG_HDRLEN, sizeof entry);
          if (entry.idiag_state < counts_.size()) ++counts_[entry.idiag_state];
          receive_bytes_ += entry.idiag_rqueue;
          transmit_bytes_ += entry.idiag_wqueue;
        }
      }
      at += NLMSG_ALIGN(header.nlmsg_len);
    }
    return {};
  }

  UniqueFd socket_;
  std::uint32_t sequence_ = 0;
  std::vector<char> buffer_;
  std::array<std::uint64_t, kTcpStates.size()> counts_{};
  std::uint64_t receive_bytes_ = 0;
  std::uint64_t transmit_bytes_ = 0;
  telemetry::LabelText labels_;
};

}  // namespace

CollectorResult CreateTcpstat(const CollectorOptions&) { return std::make_unique<Tcpstat>(); }

}  // namespace atalaya::exporter
