#include <dirent.h>

#include <charconv>
#include <filesystem>
#include <sstream>
#include <unordered_set>

#include "base/file.h"
#include "base/net.h"

namespace atalaya {
namespace {

namespace fs = std::filesystem;

constexpr char kTcpListen[] = "0A";

// Inodes of the sockets that listen on `port`, from /proc/net/tcp or tcp6 (proc(5)).
void CollectListeners(const char* table, std::uint16_t port,
                      std::unordered_set<std::string>& inodes) {
  const Result<std::string> content = ReadFile(table);
  if (!content) return;
  std::istringstream lines(*content);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
        timeout >> inode;
    const std::size_t colon = local.rfind(':');
    if (state != kTcpListen || colon == std::string::npos) continue;
    unsigned value = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), value, 16);
    if (value == port) inodes.insert("socket:[" + inode + "]");
  }
}

bool HoldsAny(const fs::path& process, const std::unordered_set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator it(process / "fd", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code unreadable;
    if (inodes.contains(fs::read_symlink(it->path(), unreadable).string())) return true;
  }
  return false;
}

}  // namespace

std::optional<PortHolder> FindPortHolder(std::uint16_t port) {
  std::unordered_set<std::string> inodes;
  CollectListeners("/proc/net/tcp", port, inodes);
  CollectListeners("/proc/net/tcp6", port, inodes);
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    PortHolder holder;
    const auto [last, bad] = std::from_chars(name.data(), name.data() + name.size(), holder.pid);
    if (bad != std::errc() || last != name.data() + name.size()) continue;
    if (!HoldsAny(it->path(), inodes)) continue;
    holder.name = ReadFile(it->path() / "comm").value_or("?");
    while (!holder.name.empty() && holder.name.back() == '\n') holder.name.pop_back();
    return holder;
  }
  return std::nullopt;
}

std::string DescribePortHolder(std::uint16_t port) {
  const std::optional<PortHolder> holder = FindPortHolder(port);
  return holder ? fmt::format("{} (pid {})", holder->name, holder->pid) : "another process";
}

}  // namespace atalaya
