#include <array>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/sample_sheet.h"
#include "exporter/units.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;

struct TapeFile {
  std::string_view file;
  FamilyInfo family;
  double scale = 1;
};

constexpr std::array<TapeFile, 9> kTapeFiles = {{
    {"in_flight", {"node_tape_io_now", MetricType::kGauge, "Requests under way."}},
    {"io_ns",
     {"node_tape_io_time_seconds_total", MetricType::kCounter,
      "Time with requests under way, together."},
     1 / kNsPerSecond},
    {"other_cnt",
     {"node_tape_io_others_total", MetricType::kCounter,
      "Requests that neither read nor write, moving the tape included."}},
    {"read_byte_cnt", {"node_tape_read_bytes_total", MetricType::kCounter, "Bytes read."}},
    {"read_ns",
     {"node_tape_read_time_seconds_total", MetricType::kCounter, "Time that reading took."},
     1 / kNsPerSecond},
    {"read_cnt", {"node_tape_reads_completed_total", MetricType::kCounter, "Reads that ended."}},
    {"resid_cnt",
     {"node_tape_residual_total", MetricType::kCounter, "Requests whose length did not fit."}},
    {"write_byte_cnt", {"node_tape_written_bytes_total", MetricType::kCounter, "Bytes written."}},
    {"write_cnt", {"node_tape_writes_completed_total", MetricType::kCounter, "Writes that ended."}},
}};
constexpr TapeFile kTapeWriteTime = {
    "write_ns",
    {"node_tape_write_time_seconds_total", MetricType::kCounter, "Time that writing took."},
    1 / kNsPerSecond};

class Tapestats final : public Collector {
 public:
  Tapestats(const CollectorOptions& options, NameFilter ignored)
      : folder_(options.sysfs / "class/scsi_tape"), ignored_(std::move(ignored)) {}

  Status Collect(telemetry::TextWriter& out) override {
    if (!ListFolder(folder_))
      return Fail(ErrorCode::kNotFound, "{}: no such folder", folder_.string());
    // "st0" is the drive; "nst0", "st0a" and so on are other ways to open it.
    for (const NumberedName& drive : ListNumbered(folder_, "st")) {
      if (ignored_.Matches(drive.name)) continue;
      const telemetry::LabelText labels("device", drive.name);
      for (const TapeFile& file : kTapeFiles) Read(drive.name, file, labels.text());
      Read(drive.name, kTapeWriteTime, labels.text());
    }
    sheet_.Write(out);
    return {};
  }

 private:
  void Read(const std::string& drive, const TapeFile& file, std::string_view labels) {
    const std::optional<double> value = ReadFigure(folder_ / drive / "stats" / file.file);
    if (value) sheet_.Add(file.family, labels, *value * file.scale);
  }

  std::filesystem::path folder_;
  NameFilter ignored_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateTapestats(const CollectorOptions& options) {
  Result<NameFilter> ignored =
      NameFilter::Create(options.tape_ignored, "collector.tapestats.ignored-devices");
  if (!ignored) return Forward(ignored.error());
  return std::make_unique<Tapestats>(options, std::move(*ignored));
}

}  // namespace atalaya::exporter
