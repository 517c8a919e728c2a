#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

class UdpQueues final : public Collector {
 public:
  explicit UdpQueues(const CollectorOptions& options)
      : files_{KernelFile(options.procfs / "net/udp"), KernelFile(options.procfs / "net/udp6")} {}

  Status Collect(telemetry::TextWriter& out) override {
    out.Family("node_udp_queues", telemetry::MetricType::kGauge,
               "Memory in the send and receive queues of UDP sockets, in bytes.");
    bool any = false;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const Result<std::string_view> content = files_[i].Read();
      if (!content) continue;  // A kernel without IPv6 has no such file.
      any = true;
      const Sums sums = Sum(*content);
      out.Sample(kLabels[i][0], sums.receive);
      out.Sample(kLabels[i][1], sums.transmit);
    }
    if (!any) return Fail(ErrorCode::kNotFound, "{}: no such file", files_[0].path().string());
    return {};
  }

 private:
  struct Sums {
    std::uint64_t receive = 0;
    std::uint64_t transmit = 0;
  };
  static constexpr std::string_view kLabels[2][2] = {
      {"ip=\"v4\",queue=\"rx\"", "ip=\"v4\",queue=\"tx\""},
      {"ip=\"v6\",queue=\"rx\"", "ip=\"v6\",queue=\"tx\""}};
  static constexpr int kQueueColumn = 5;  // "00000000:00000000": send, receive, in hexadecimal.

  static Sums Sum(std::string_view content) {
    Sums sums;
    TakeLine(content);  // Headings.
    while (!content.empty()) {
      std::string_view line = TakeLine(content);
      std::string_view word;
      for (int i = 0; i < kQueueColumn; ++i) word = TakeWord(line);
      const std::size_t colon = word.find(':');
      if (colon == std::string_view::npos) continue;
      sums.transmit += Hex(word.substr(0, colon));
      sums.receive += Hex(word.substr(colon + 1));
    }
    return sums;
  }
  static std::uint64_t Hex(std::string_view digits) {
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return value;
  }

  std::array<KernelFile, 2> files_;
};

}  // namespace

CollectorResult CreateUdpQueues(const CollectorOptions& options) {
  return std::make_unique<UdpQueues>(options);
}

}  // namespace atalaya::exporter
