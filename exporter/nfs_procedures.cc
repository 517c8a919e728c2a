#include "exporter/nfs_procedures.h"

#include <algorithm>

#include "exporter/kernel_file.h"

namespace atalaya::exporter {

const std::array<std::string_view, 18> kNfs2Procedures = {
    "Null",   "GetAttr", "SetAttr", "Root", "Lookup",  "ReadLink", "Read",  "WrCache", "Write",
    "Create", "Remove",  "Rename",  "Link", "SymLink", "MkDir",    "RmDir", "ReadDir", "FsStat"};

const std::array<std::string_view, 22> kNfs3Procedures = {
    "Null",    "GetAttr",     "SetAttr", "Lookup", "Access",   "ReadLink", "Read",   "Write",
    "Create",  "MkDir",       "SymLink", "MkNod",  "Remove",   "RmDir",    "Rename", "Link",
    "ReadDir", "ReadDirPlus", "FsStat",  "FsInfo", "PathConf", "Commit"};

const std::array<std::string_view, 59> kNfs4ClientProcedures = {"Null",
                                                                "Read",
                                                                "Write",
                                                                "Commit",
                                                                "Open",
                                                                "OpenConfirm",
                                                                "OpenNoattr",
                                                                "OpenDowngrade",
                                                                "Close",
                                                                "Setattr",
                                                                "FsInfo",
                                                                "Renew",
                                                                "SetClientID",
                                                                "SetClientIDConfirm",
                                                                "Lock",
                                                                "Lockt",
                                                                "Locku",
                                                                "Access",
                                                                "Getattr",
                                                                "Lookup",
                                                                "LookupRoot",
                                                                "Remove",
                                                                "Rename",
                                                                "Link",
                                                                "Symlink",
                                                                "Create",
                                                                "Pathconf",
                                                                "StatFs",
                                                                "ReadLink",
                                                                "ReadDir",
                                                                "ServerCaps",
                                                                "DelegReturn",
                                                                "GetACL",
                                                                "SetACL",
                                                                "FsLocations",
                                                                "ReleaseLockowner",
                                                                "Secinfo",
                                                                "FsidPresent",
                                                                "ExchangeID",
                                                                "CreateSession",
                                                                "DestroySession",
                                                                "Sequence",
                                                                "GetLeaseTime",
                                                                "ReclaimComplete",
                                                                "LayoutGet",
                                                                "GetDeviceInfo",
                                                                "LayoutCommit",
                                                                "LayoutReturn",
                                                                "SecinfoNoName",
                                                                "TestStateID",
                                                                "FreeStateID",
                                                                "GetDeviceList",
                                                                "BindConnToSession",
                                                                "DestroyClientID",
                                                                "Seek",
                                                                "Allocate",
                                                                "DeAllocate",
                                                                "LayoutStats",
                                                                "Clone"};

const std::array<std::string_view, 38> kNfs4ServerProcedures = {"",
                                                                "",
                                                                "",
                                                                "Access",
                                                                "Close",
                                                                "Commit",
                                                                "Create",
                                                                "DelegPurge",
                                                                "DelegReturn",
                                                                "GetAttr",
                                                                "GetFH",
                                                                "Link",
                                                                "Lock",
                                                                "Lockt",
                                                                "Locku",
                                                                "Lookup",
                                                                "LookupRoot",
                                                                "Nverify",
                                                                "Open",
                                                                "OpenAttr",
                                                                "OpenConfirm",
                                                                "OpenDgrd",
                                                                "PutFH",
                                                                "",
                                                                "",
                                                                "Read",
                                                                "ReadDir",
                                                                "ReadLink",
                                                                "Remove",
                                                                "Rename",
                                                                "Renew",
                                                                "RestoreFH",
                                                                "SaveFH",
                                                                "SecInfo",
                                                                "SetAttr",
                                                                "Verify",
                                                                "Write",
                                                                "RelLockOwner"};

std::vector<std::uint64_t> NfsLines::Row(std::string_view name, std::size_t columns) const {
  const auto found = rows.find(name);
  std::vector<std::uint64_t> row;
  if (found != rows.end()) row = found->second;
  row.resize(std::max(row.size(), columns));
  return row;
}

NfsLines ReadNfsLines(std::string_view content) {
  NfsLines lines;
  while (!content.empty()) {
    std::string_view line = TakeLine(content);
    const std::string_view name = TakeWord(line);
    if (name.empty()) continue;
    std::vector<std::uint64_t>& row = lines.rows[name];
    row.clear();
    while (const auto value = ParseNumber<std::uint64_t>(TakeWord(line))) row.push_back(*value);
  }
  return lines;
}

void WriteNfsProcedures(telemetry::TextWriter& out, const NfsLines& lines, std::string_view row,
                        std::string_view version, std::span<const std::string_view> names,
                        NfsSide side) {
  const std::vector<std::uint64_t> counts = lines.Row(row, names.size() + 1);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty() || (side == NfsSide::kServer && names[i] == "Null")) continue;
    out.Sample(telemetry::LabelText("method", names[i]).Add("proto", version).text(),
               counts[i + 1]);
  }
}

}  // namespace atalaya::exporter
