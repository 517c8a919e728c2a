#include "cloud_client/disk_reading.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "base/file.h"

namespace atalaya::cloud_client {
namespace {

// A network or FUSE file system may hang whoever asks it.
constexpr std::array<std::string_view, 36> kNoDisk = {
    "9p",       "autofs",     "binfmt_misc", "bpf",       "ceph",     "cgroup",
    "cgroup2",  "cifs",       "configfs",    "debugfs",   "devpts",   "devtmpfs",
    "efivarfs", "fusectl",    "hugetlbfs",   "iso9660",   "mqueue",   "ncpfs",
    "nfs",      "nfs4",       "nsfs",        "proc",      "pstore",   "ramfs",
    "rootfs",   "rpc_pipefs", "securityfs",  "selinuxfs", "smb3",     "smbfs",
    "squashfs", "sysfs",      "tmpfs",       "tracefs",   "virtiofs", "fuse"};

bool IsDisk(std::string_view type, std::string_view point) {
  if (type == "overlay") return point == "/";
  if (type.starts_with("fuse.")) return false;
  return std::find(kNoDisk.begin(), kNoDisk.end(), type) == kNoDisk.end();
}

// mountinfo writes space, tab, newline and backslash as three octal digits.
std::string Unescape(std::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
        octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// "/var/lib" is var_lib, "/" is rootfs: one topic level that is fit for a metric's name too.
std::string TopicLevel(std::string_view point) {
  if (point == "/") return "rootfs";
  std::string level;
  for (const char c : point.substr(1)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    level += plain ? c : '_';
  }
  return level;
}

}  // namespace

std::vector<Mount> DiskMounts(std::string_view mountinfo) {
  std::vector<Mount> mounts;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, point, word, type;
    words >> id >> parent >> device >> root >> point;
    while (words >> word && word != "-") {
    }
    if (!(words >> type)) continue;
    point = Unescape(point);
    if (point.empty() || point.front() != '/' || !IsDisk(type, point)) continue;
    const auto same = std::find_if(mounts.begin(), mounts.end(),
                                   [&](const Mount& mount) { return mount.device == device; });
    if (same == mounts.end()) {
      mounts.push_back({device, point});
    } else if (point.size() < same->point.size()) {
      same->point = point;
    }
  }
  return mounts;
}

Result<std::vector<Reading>> ReadDisks(const MachineRoots& roots) {
  const std::filesystem::path file = roots.procfs / "self" / "mountinfo";
  const Result<std::string> mountinfo = ReadFile(file);
  if (!mountinfo) return Forward(mountinfo.error());
  std::vector<Reading> readings;
  std::set<std::string> levels;
  for (const Mount& mount : DiskMounts(*mountinfo)) {
    const std::string path = roots.rootfs.string() + "/" + mount.point.substr(1);
    struct statvfs status {};
    if (statvfs(path.c_str(), &status) != 0 || status.f_blocks == 0) continue;
    std::string level = TopicLevel(mount.point);
    while (!levels.insert(level).second) level += '_';
    const std::uint64_t used = status.f_blocks - status.f_bfree;
    // As df counts: what is kept for root is neither used nor available.
    const double share = static_cast<double>(used) /
                         static_cast<double>(std::max<std::uint64_t>(used + status.f_bavail, 1));
    readings.push_back(
        {"disk/" + level, JsonObject()
                              .Add("mount", mount.point)
                              .Add("used_share", share)
                              .Add("used_bytes", used * status.f_frsize)
                              .Add("avail_bytes", status.f_bavail * status.f_frsize)
                              .Add("size_bytes", status.f_blocks * status.f_frsize)});
  }
  if (readings.empty()) {
    return Fail(ErrorCode::kNotFound, "{}: names no disk that can be asked", file.string());
  }
  return readings;
}

}  // namespace atalaya::cloud_client
