#include <fcntl.h>
#include <poll.h>
#include <sys/statfs.h>

#include <array>
#include <set>
#include <utility>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/name_filter.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

struct Mount {
  std::string labels;
  std::string path;  // As this process sees it.
  bool read_only = false;
  bool failed = false;
  struct statfs space {};
};

// Blanks and the like in /proc/mounts are "\040": fstab(5).
std::string Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const bool octal = text[i] == '\\' && i + 3 < text.size() &&
                       std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8).ptr ==
                           text.data() + i + 4;
    plain += octal ? static_cast<char>(value) : text[i];
    if (octal) i += 3;
  }
  return plain;
}

bool HasOption(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const std::size_t comma = options.find(',');
    if (options.substr(0, comma) == wanted) return true;
    options = comma == std::string_view::npos ? std::string_view() : options.substr(comma + 1);
  }
  return false;
}

// Whether the table of mounts has changed since it was read: its file says so to poll(2).
class MountsWatch {
 public:
  explicit MountsWatch(bool live) : live_(live) {}

  // The file that was just read.
  void Watch(const std::filesystem::path& mounts) {
    if (!live_ || watched_) return;
    watched_.Reset(open(mounts.c_str(), O_RDONLY | O_CLOEXEC));
    // What changed since the reading is not told to a file opened later: the next scrape reads
    // once more.
    first_ = true;
  }

  bool StandsStill() {
    if (!watched_ || std::exchange(first_, false)) return false;
    pollfd entry{watched_.get(), POLLPRI, 0};
    return poll(&entry, 1, 0) == 0;
  }

 private:
  bool live_;  // Made-up files say nothing.
  bool first_ = false;
  UniqueFd watched_;
};

class Filesystem final : public Collector {
 public:
  Filesystem(const CollectorOptions& options, NameFilter mounts, NameFilter types)
      : init_mounts_(options.procfs / "1/mounts"),
        own_mounts_(options.procfs / "self/mounts"),
        rootfs_(options.rootfs),
        mounts_watch_(options.procfs == "/proc"),
        mount_points_exclude_(std::move(mounts)),
        fs_types_exclude_(std::move(types)) {}

  Status Collect(TextWriter& out) override {
    if (!mounts_watch_.StandsStill()) {
      // What init sees is what the machine has; that may be out of sight for an unprivileged
      // process.
      Result<std::string_view> content = init_mounts_.Read();
      KernelFile& file = content ? init_mounts_ : own_mounts_;
      if (!content) content = own_mounts_.Read();
      if (!content) return Forward(content.error());
      mounts_watch_.Watch(file.path());
      if (*content != parsed_) Parse(*content);
    }
    for (Mount& mount : mounts_) mount.failed = statfs(mount.path.c_str(), &mount.space) != 0;
    Write(out);
    return {};
  }

 private:
  // Mounts seldom change, and the patterns cost more than all the rest.
  void Parse(std::string_view content) {
    parsed_ = content;
    mounts_.clear();
    std::set<std::string> seen;
    while (!content.empty()) ReadLine(TakeLine(content), seen);
  }

  void ReadLine(std::string_view line, std::set<std::string>& seen) {
    const std::string device = Unescape(TakeWord(line));
    std::string point = Unescape(TakeWord(line));
    const std::string_view type = TakeWord(line);
    const std::string_view flags = TakeWord(line);
    if (type.empty()) return;
    // With --path.rootfs, mounts are named as they are outside the container.
    const std::string root = rootfs_.string();
    if (root != "/" && point.starts_with(root)) point = point.substr(root.size());
    if (point.empty()) point = "/";
    if (mount_points_exclude_.Matches(point) || fs_types_exclude_.Matches(type)) return;

    Mount mount;
    mount.labels = LabelText("device", device).Add("fstype", type).Add("mountpoint", point).text();
    if (!seen.insert(mount.labels).second) return;
    mount.read_only = HasOption(flags, "ro");
    mount.path = root == "/" ? point : root + point;
    mounts_.push_back(std::move(mount));
  }

  void Write(TextWriter& out) const {
    struct Figure {
      std::string_view metric;
      std::string_view help;
      double (*value)(const Mount&);
    };
    static constexpr std::array<Figure, 5> kFigures = {{
        {"node_filesystem_avail_bytes", "Bytes that a user other than root may still write.",
         [](const Mount& m) { return Bytes(m, m.space.f_bavail); }},
        {"node_filesystem_files", "Inodes there are.",
         [](const Mount& m) { return static_cast<double>(m.space.f_files); }},
        {"node_filesystem_files_free", "Inodes that are free.",
         [](const Mount& m) { return static_cast<double>(m.space.f_ffree); }},
        {"node_filesystem_free_bytes", "Bytes that are free, those kept for root included.",
         [](const Mount& m) { return Bytes(m, m.space.f_bfree); }},
        {"node_filesystem_size_bytes", "Bytes there are.",
         [](const Mount& m) { return Bytes(m, m.space.f_blocks); }},
    }};
    out.Family("node_filesystem_device_error", MetricType::kGauge,
               "Whether the figures of a mount could not be had.");
    for (const Mount& mount : mounts_) out.Sample(mount.labels, mount.failed ? 1 : 0);
    out.Family("node_filesystem_readonly", MetricType::kGauge, "Whether a mount is read-only.");
    for (const Mount& mount : mounts_) {
      if (!mount.failed) out.Sample(mount.labels, mount.read_only ? 1 : 0);
    }
    for (const Figure& figure : kFigures) {
      out.Family(figure.metric, MetricType::kGauge, figure.help);
      for (const Mount& mount : mounts_) {
        if (!mount.failed) out.Sample(mount.labels, figure.value(mount));
      }
    }
  }

  static double Bytes(const Mount& mount, fsblkcnt_t blocks) {
    return static_cast<double>(blocks) * static_cast<double>(mount.space.f_bsize);
  }

  KernelFile init_mounts_;
  KernelFile own_mounts_;
  std::filesystem::path rootfs_;
  MountsWatch mounts_watch_;
  NameFilter mount_points_exclude_;
  NameFilter fs_types_exclude_;
  std::string parsed_;  // What `mounts_` was made of.
  std::vector<Mount> mounts_;
};

}  // namespace

CollectorResult CreateFilesystem(const CollectorOptions& options) {
  Result<NameFilter> mounts =
      NameFilter::Create(options.mount_points_exclude, "collector.filesystem.mount-points-exclude");
  if (!mounts) return Forward(mounts.error());
  Result<NameFilter> types =
      NameFilter::Create(options.fs_types_exclude, "collector.filesystem.fs-types-exclude");
  if (!types) return Forward(types.error());
  return std::make_unique<Filesystem>(options, std::move(*mounts), std::move(*types));
}

}  // namespace atalaya::exporter
