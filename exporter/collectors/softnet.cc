#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr int kHex = 16;

struct SoftnetColumn {
  std::string_view metric;
  std::string_view help;
};

// The first columns of /proc/net/softnet_stat.
constexpr std::array<SoftnetColumn, 3> kSoftnetColumns = {{
    {"node_softnet_processed_total", "Packets that a CPU took off the network devices."},
    {"node_softnet_dropped_total", "Packets dropped because a CPU's backlog was full."},
    {"node_softnet_times_squeezed_total", "How often a CPU ran out of its share with work left."},
}};

using SoftnetRow = std::array<std::uint64_t, kSoftnetColumns.size()>;

class Softnet final : public Collector {
 public:
  explicit Softnet(const CollectorOptions& options)
      : softnet_(options.procfs / "net/softnet_stat") {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = softnet_.Read();
    if (!content) return Forward(content.error());
    rows_.clear();
    while (!content->empty()) {
      std::string_view line = TakeLine(*content);
      SoftnetRow row{};
      for (std::uint64_t& value : row) {
        const std::string_view word = TakeWord(line);
        if (std::from_chars(word.data(), word.data() + word.size(), value, kHex).ec != std::errc())
          return Fail(ErrorCode::kInvalid, "{}: not hexadecimal", softnet_.path().string());
      }
      rows_.push_back(row);
    }
    while (labels_.size() < rows_.size())
      labels_.emplace_back(LabelText("cpu", std::to_string(labels_.size())).text());
    for (std::size_t column = 0; column < kSoftnetColumns.size(); ++column) {
      out.Family(kSoftnetColumns[column].metric, MetricType::kCounter,
                 kSoftnetColumns[column].help);
      for (std::size_t cpu = 0; cpu < rows_.size(); ++cpu)
        out.Sample(labels_[cpu], rows_[cpu][column]);
    }
    return {};
  }

 private:
  KernelFile softnet_;
  std::vector<SoftnetRow> rows_;
  std::vector<std::string> labels_;
};

}  // namespace

CollectorResult CreateSoftnet(const CollectorOptions& options) {
  return std::make_unique<Softnet>(options);
}

}  // namespace atalaya::exporter
