#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;

struct ConntrackColumn {
  std::string_view heading;  // Of /proc/net/stat/nf_conntrack.
  std::string_view metric;
  std::string_view help;
};

constexpr std::array<ConntrackColumn, 8> kConntrackColumns = {{
    {"drop", "node_nf_conntrack_stat_drop", "Packets dropped because tracking failed."},
    {"early_drop", "node_nf_conntrack_stat_early_drop",
     "Entries thrown out to make room for new ones."},
    {"found", "node_nf_conntrack_stat_found", "Look-ups that found an entry."},
    {"ignore", "node_nf_conntrack_stat_ignore", "Packets of connections that were tracked before."},
    {"insert", "node_nf_conntrack_stat_insert", "Entries put into the table."},
    {"insert_failed", "node_nf_conntrack_stat_insert_failed",
     "Entries that could not be put into the table."},
    {"invalid", "node_nf_conntrack_stat_invalid", "Packets that cannot be tracked."},
    {"search_restart", "node_nf_conntrack_stat_search_restart",
     "Look-ups begun anew because the table was resized."},
}};

class Conntrack final : public Collector {
 public:
  explicit Conntrack(const CollectorOptions& options)
      : count_(options.procfs / "sys/net/netfilter/nf_conntrack_count", FileShape::kWhole),
        max_(options.procfs / "sys/net/netfilter/nf_conntrack_max", FileShape::kWhole),
        stat_(options.procfs / "net/stat/nf_conntrack") {}

  Status Collect(telemetry::TextWriter& out) override {
    const Result<std::string_view> count = count_.Read();
    if (!count) return Forward(count.error());
    WriteNumber(out, "node_nf_conntrack_entries", "Connections tracked now.", *count);
    const Result<std::string_view> max = max_.Read();
    if (!max) return Forward(max.error());
    WriteNumber(out, "node_nf_conntrack_entries_limit", "Connections that may be tracked.", *max);
    const Result<std::string_view> stat = stat_.Read();
    if (!stat) return Forward(stat.error());
    WriteStat(out, *stat);
    return {};
  }

 private:
  static void WriteNumber(telemetry::TextWriter& out, std::string_view metric,
                          std::string_view help, std::string_view text) {
    const auto value = ParseValue<std::uint64_t>(TrimSpace(text));
    out.Family(metric, MetricType::kGauge, help);
    if (value) out.Sample("", *value);
  }

  // A line of headings, then one of hexadecimal numbers for each CPU.
  static void WriteStat(telemetry::TextWriter& out, std::string_view content) {
    const std::string_view headings = TakeLine(content);
    std::array<std::uint64_t, kConntrackColumns.size()> sums{};
    bool any = false;
    while (!content.empty()) {
      std::string_view names = headings;
      std::string_view line = TakeLine(content);
      while (!TrimSpace(line).empty()) {
        const std::string_view name = TakeWord(names);
        const std::string_view word = TakeWord(line);
        std::uint64_t value = 0;
        std::from_chars(word.data(), word.data() + word.size(), value, 16);
        any = true;
        for (std::size_t i = 0; i < sums.size(); ++i) {
          if (kConntrackColumns[i].heading == name) sums[i] += value;
        }
      }
    }
    for (std::size_t i = 0; any && i < sums.size(); ++i) {
      out.Family(kConntrackColumns[i].metric, MetricType::kGauge, kConntrackColumns[i].help);
      out.Sample("", sums[i]);
    }
  }

  KernelFile count_;
  KernelFile max_;
  KernelFile stat_;
};

}  // namespace

CollectorResult CreateConntrack(const CollectorOptions& options) {
  return std::make_unique<Conntrack>(options);
}

}  // namespace atalaya::exporter
