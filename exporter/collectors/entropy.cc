#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

class Entropy final : public Collector {
 public:
  explicit Entropy(const CollectorOptions& options)
      : available_(options.procfs / "sys/kernel/random/entropy_avail", FileShape::kWhole),
        pool_size_(options.procfs / "sys/kernel/random/poolsize", FileShape::kWhole) {}

  Status Collect(TextWriter& out) override {
    const Status available =
        Write(out, "node_entropy_available_bits", "Bits of entropy the kernel has.", available_);
    const Status pool_size = Write(out, "node_entropy_pool_size_bits",
                                   "Bits of entropy the kernel can hold.", pool_size_);
    return available ? pool_size : available;
  }

 private:
  static Status Write(TextWriter& out, std::string_view metric, std::string_view help,
                      KernelFile& file) {
    const Result<std::string_view> content = file.Read();
    if (!content) return Forward(content.error());
    const std::optional<std::uint64_t> bits = ParseValue<std::uint64_t>(TrimSpace(*content));
    if (!bits) return Fail(ErrorCode::kInvalid, "{}: not a number", file.path().string());
    out.Family(metric, MetricType::kGauge, help);
    out.Sample("", *bits);
    return {};
  }

  KernelFile available_;
  KernelFile pool_size_;
};

}  // namespace

CollectorResult CreateEntropy(const CollectorOptions& options) {
  return std::make_unique<Entropy>(options);
}

}  // namespace atalaya::exporter
