#include <array>
#include <limits>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;

struct FibreChannelFile {
  std::string_view file;  // Of statistics/.
  FamilyInfo family;
};

constexpr std::array<FibreChannelFile, 14> kFibreChannelFiles = {{
    {"dumped_frames",
     {"node_fibrechannel_dumped_frames_total", MetricType::kCounter, "Frames thrown away."}},
    {"error_frames",
     {"node_fibrechannel_error_frames_total", MetricType::kCounter, "Frames with an error."}},
    {"fcp_packet_aborts",
     {"node_fibrechannel_fcp_packet_aborts_total", MetricType::kCounter, "Packets given up."}},
    {"invalid_crc_count",
     {"node_fibrechannel_invalid_crc_total", MetricType::kCounter, "Frames with a wrong CRC."}},
    {"invalid_tx_word_count",
     {"node_fibrechannel_invalid_tx_words_total", MetricType::kCounter, "Invalid words sent."}},
    {"link_failure_count",
     {"node_fibrechannel_link_failure_total", MetricType::kCounter, "Failures of the link."}},
    {"loss_of_signal_count",
     {"node_fibrechannel_loss_of_signal_total", MetricType::kCounter, "Losses of the signal."}},
    {"loss_of_sync_count",
     {"node_fibrechannel_loss_of_sync_total", MetricType::kCounter, "Losses of synchronization."}},
    {"nos_count",
     {"node_fibrechannel_nos_total", MetricType::kCounter, "\"Not operational\" received."}},
    {"rx_frames", {"node_fibrechannel_rx_frames_total", MetricType::kCounter, "Frames received."}},
    {"rx_words", {"node_fibrechannel_rx_words_total", MetricType::kCounter, "Words received."}},
    {"seconds_since_last_reset",
     {"node_fibrechannel_seconds_since_last_reset_total", MetricType::kCounter,
      "Time since the counters were reset."}},
    {"tx_frames", {"node_fibrechannel_tx_frames_total", MetricType::kCounter, "Frames sent."}},
    {"tx_words", {"node_fibrechannel_tx_words_total", MetricType::kCounter, "Words sent."}},
}};

constexpr FamilyInfo kFibreChannelInfo = {"node_fibrechannel_info", MetricType::kGauge,
                                          "What a Fibre Channel host says of itself."};

struct FibreChannelFact {
  std::string_view file;
  bool hexadecimal;  // "0x" in front is left out.
};
constexpr std::array<FibreChannelFact, 10> kFibreChannelFacts = {{{"dev_loss_tmo", false},
                                                                  {"fabric_name", true},
                                                                  {"port_id", true},
                                                                  {"port_name", true},
                                                                  {"port_state", false},
                                                                  {"port_type", false},
                                                                  {"speed", false},
                                                                  {"supported_classes", false},
                                                                  {"supported_speeds", false},
                                                                  {"symbolic_name", false}}};

// A counter that the adapter does not keep reads as all ones.
constexpr std::uint64_t kFibreChannelAbsent = std::numeric_limits<std::uint64_t>::max();

class FibreChannel final : public Collector {
 public:
  explicit FibreChannel(const CollectorOptions& options)
      : folder_(options.sysfs / "class/fc_host") {}

  Status Collect(telemetry::TextWriter& out) override {
    const std::optional<std::vector<std::string>> hosts = ListFolder(folder_);
    if (!hosts) return Fail(ErrorCode::kNotFound, "{}: no such folder", folder_.string());
    for (const std::string& host : *hosts) {
      LabelText info("fc_host", host);
      for (const auto& [file, hexadecimal] : kFibreChannelFacts) {
        std::string text = ReadTrimmed(folder_ / host / file).value_or("");
        if (hexadecimal && text.starts_with("0x")) text.erase(0, 2);
        info.Add(file, text);
      }
      sheet_.Add(kFibreChannelInfo, info.text(), 1);
      const LabelText labels("fc_host", host);
      for (const FibreChannelFile& file : kFibreChannelFiles) {
        const std::string text =
            ReadTrimmed(folder_ / host / "statistics" / file.file).value_or("0");
        const std::optional<std::uint64_t> value = ParseCounter(text);
        if (value && *value != kFibreChannelAbsent)
          sheet_.Add(file.family, labels.text(), static_cast<double>(*value));
      }
    }
    sheet_.Write(out);
    return {};
  }

 private:
  static std::optional<std::uint64_t> ParseCounter(std::string_view text) {
    if (!text.starts_with("0x")) return ParseValue<std::uint64_t>(text);
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    if (parsed.ec != std::errc()) return std::nullopt;
    return value;
  }

  fs::path folder_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateFibreChannel(const CollectorOptions& options) {
  return std::make_unique<FibreChannel>(options);
}

}  // namespace atalaya::exporter
