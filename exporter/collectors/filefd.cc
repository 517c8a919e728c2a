#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

class Filefd final : public Collector {
 public:
  explicit Filefd(const CollectorOptions& options)
      : file_nr_(options.procfs / "sys/fs/file-nr", FileShape::kWhole) {}

  Status Collect(TextWriter& out) override {
    const Result<std::string_view> content = file_nr_.Read();
    if (!content) return Forward(content.error());
    // Allocated, free (always 0 since Linux 2.6) and maximum: proc(5).
    std::string_view line = TrimSpace(*content);
    const std::optional<double> allocated = ParseValue<double>(TakeWord(line));
    TakeWord(line);
    const std::optional<double> maximum = ParseValue<double>(TakeWord(line));
    if (!allocated || !maximum) {
      return Fail(ErrorCode::kInvalid, "{}: not three numbers", file_nr_.path().string());
    }
    out.Family("node_filefd_allocated", MetricType::kGauge, "File handles in use.");
    out.Sample("", *allocated);
    out.Family("node_filefd_maximum", MetricType::kGauge, "File handles the kernel would give.");
    out.Sample("", *maximum);
    return {};
  }

 private:
  KernelFile file_nr_;
};

}  // namespace

CollectorResult CreateFilefd(const CollectorOptions& options) {
  return std::make_unique<Filefd>(options);
}

}  // namespace atalaya::exporter
