#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;

constexpr FamilyInfo kEdacCorrected = {"node_edac_correctable_errors_total", MetricType::kCounter,
                                       "Memory errors that were corrected."};
constexpr FamilyInfo kEdacUncorrected = {"node_edac_uncorrectable_errors_total",
                                         MetricType::kCounter,
                                         "Memory errors that could not be corrected."};
constexpr FamilyInfo kEdacRowCorrected = {"node_edac_csrow_correctable_errors_total",
                                          MetricType::kCounter,
                                          "Memory errors of a row that were corrected."};
constexpr FamilyInfo kEdacRowUncorrected = {"node_edac_csrow_uncorrectable_errors_total",
                                            MetricType::kCounter,
                                            "Memory errors of a row that could not be corrected."};

class Edac final : public Collector {
 public:
  explicit Edac(const CollectorOptions& options)
      : folder_(options.sysfs / "devices/system/edac/mc") {}

  Status Collect(telemetry::TextWriter& out) override {
    for (const NumberedName& controller : ListNumbered(folder_, "mc")) {
      const fs::path folder = folder_ / controller.name;
      const std::string number = std::to_string(controller.number);
      const LabelText labels("controller", number);
      Add(kEdacCorrected, labels, folder / "ce_count");
      Add(kEdacUncorrected, labels, folder / "ue_count");
      const LabelText unknown = LabelText("controller", number).Add("csrow", "unknown");
      Add(kEdacRowCorrected, unknown, folder / "ce_noinfo_count");
      Add(kEdacRowUncorrected, unknown, folder / "ue_noinfo_count");
      for (const NumberedName& row : ListNumbered(folder, "csrow")) {
        LabelText of_row("controller", number);
        of_row.Add("csrow", std::to_string(row.number));
        Add(kEdacRowCorrected, of_row, folder / row.name / "ce_count");
        Add(kEdacRowUncorrected, of_row, folder / row.name / "ue_count");
      }
    }
    sheet_.Write(out);
    return {};
  }

 private:
  void Add(const FamilyInfo& family, const LabelText& labels, const fs::path& file) {
    if (const std::optional<double> value = ReadFigure(file))
      sheet_.Add(family, labels.text(), *value);
  }

  fs::path folder_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateEdac(const CollectorOptions& options) {
  return std::make_unique<Edac>(options);
}

}  // namespace atalaya::exporter
