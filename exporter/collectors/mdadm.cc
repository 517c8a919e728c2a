#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;

constexpr FamilyInfo kMdBlocks = {"node_md_blocks", MetricType::kGauge, "Blocks of a device."};
constexpr FamilyInfo kMdSynced = {"node_md_blocks_synced", MetricType::kGauge,
                                  "Blocks of a device that are in sync."};
constexpr FamilyInfo kMdDisks = {"node_md_disks", MetricType::kGauge,
                                 "Disks of a device, by state."};
constexpr FamilyInfo kMdRequired = {"node_md_disks_required", MetricType::kGauge,
                                    "Disks that a device needs."};
constexpr FamilyInfo kMdState = {"node_md_state", MetricType::kGauge,
                                 "1 for the state a device is in, 0 for the others."};
constexpr std::array<std::string_view, 5> kMdStates = {"active", "inactive", "recovering", "resync",
                                                       "check"};

struct MdDevice {
  std::string_view name;
  std::string_view state;
  double active = 0;
  double required = 0;
  double failed = 0;
  double spare = 0;
  double blocks = 0;
  double synced = 0;
};

double CountText(std::string_view text, std::string_view what) {
  double count = 0;
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + what.size()))
    ++count;
  return count;
}

// "[2/1]" in the line of blocks: required and active.
bool ParseMdDisks(std::string_view line, MdDevice& device) {
  for (std::size_t open = line.find('['); open != line.npos; open = line.find('[', open + 1)) {
    const std::size_t slash = line.find('/', open);
    const std::size_t close = line.find(']', open);
    if (slash == line.npos || close == line.npos || slash > close) continue;
    const auto required = ParseValue<double>(line.substr(open + 1, slash - open - 1));
    const auto active = ParseValue<double>(line.substr(slash + 1, close - slash - 1));
    if (!required || !active) continue;
    device.required = *required;
    device.active = *active;
    return true;
  }
  return false;
}

// "[==>...]  recovery = 8.5% (16775552/195310144) finish=17.0min speed=259783K/sec"
void ParseMdSync(std::string_view line, MdDevice& device) {
  const auto has = [&](std::string_view word) { return line.find(word) != line.npos; };
  if (!has("recovery") && !has("resync") && !has("check")) return;
  device.state = has("recovery") ? "recovering" : has("check") ? "check" : "resync";
  device.synced = 0;
  if (has("PENDING") || has("DELAYED")) return;
  const std::size_t open = line.find('(');
  const std::size_t slash = open == line.npos ? line.npos : line.find('/', open);
  if (slash == line.npos) return;
  device.synced = ParseValue<double>(line.substr(open + 1, slash - open - 1)).value_or(0);
}

class Mdadm final : public Collector {
 public:
  explicit Mdadm(const CollectorOptions& options) : mdstat_(options.procfs / "mdstat") {}

  Status Collect(telemetry::TextWriter& out) override {
    const Result<std::string_view> content = mdstat_.Read();
    if (!content) return Forward(content.error());
    std::string_view rest = *content;
    Status status;
    while (!rest.empty()) {
      const std::string_view line = TakeLine(rest);
      if (TrimSpace(line).empty() || line.front() == ' ' || line.front() == '\t' ||
          line.starts_with("Personalities") || line.starts_with("unused")) {
        continue;
      }
      MdDevice device;
      if (ReadDevice(line, rest, device)) {
        Add(device);
      } else if (status) {
        status = Fail(ErrorCode::kInvalid, "{}: cannot read the lines of {}",
                      mdstat_.path().string(), LineStart(line));
      }
    }
    sheet_.Write(out);
    return status;
  }

 private:
  static std::string_view LineStart(std::string_view line) { return TakeWord(line); }

  // `rest` begins at the line after `line`; it is only looked into.
  static bool ReadDevice(std::string_view line, std::string_view rest, MdDevice& device) {
    std::string_view words = line;
    device.name = TakeWord(words);
    TakeWord(words);  // ":"
    device.state = TakeWord(words);
    std::string_view blocks_line = TakeLine(rest);
    std::string_view blocks_words = blocks_line;
    const auto blocks = ParseValue<double>(TakeWord(blocks_words));
    if (device.state.empty() || !blocks) return false;
    device.blocks = device.synced = *blocks;
    device.failed = CountText(line, "(F)");
    device.spare = CountText(line, "(S)");
    const bool plain = line.find("raid0") != line.npos || line.find("linear") != line.npos;
    if (plain) {
      device.active = device.required = CountText(line, "[");
    } else if (line.find("inactive") == line.npos && !ParseMdDisks(blocks_line, device)) {
      return false;
    }
    std::string_view sync_line = TakeLine(rest);
    if (sync_line.find("bitmap") != sync_line.npos) sync_line = TakeLine(rest);
    ParseMdSync(sync_line, device);
    return true;
  }

  void Add(const MdDevice& device) {
    const LabelText labels("device", device.name);
    sheet_.Add(kMdBlocks, labels.text(), device.blocks);
    sheet_.Add(kMdSynced, labels.text(), device.synced);
    sheet_.Add(kMdRequired, labels.text(), device.required);
    const auto disks = [&](const char* state, double count) {
      sheet_.Add(kMdDisks, LabelText("device", device.name).Add("state", state).text(), count);
    };
    disks("active", device.active);
    disks("failed", device.failed);
    disks("spare", device.spare);
    for (const std::string_view state : kMdStates) {
      sheet_.Add(kMdState, LabelText("device", device.name).Add("state", state).text(),
                 device.state == state ? 1 : 0);
    }
  }

  KernelFile mdstat_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateMdadm(const CollectorOptions& options) {
  return std::make_unique<Mdadm>(options);
}

}  // namespace atalaya::exporter
