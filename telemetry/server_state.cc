#include "telemetry/server_state.h"

#include <charconv>

#include "base/file.h"

namespace atalaya::telemetry {
namespace {

constexpr int kStateField = 3;  // proc_pid_stat(5).
constexpr int kStartTicksField = 22;

// The fields after the command, which may itself hold blanks and parentheses. "" where absent.
std::string_view StatField(std::string_view stat, int number) {
  const std::size_t command_end = stat.rfind(')');
  if (command_end == std::string_view::npos) return {};
  std::string_view rest = stat.substr(command_end + 1);
  for (int field = kStateField;; ++field) {
    const std::size_t begin = rest.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return {};
    rest.remove_prefix(begin);
    const std::size_t end = rest.find_first_of(" \n");
    if (field == number) return rest.substr(0, end);
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end);
  }
}

}  // namespace

std::string_view ServerStateName(ServerState state) {
  switch (state) {
    case ServerState::kUp:
      return "up";
    case ServerState::kHung:
      return "hung";
    case ServerState::kDead:
      return "dead";
    case ServerState::kStopping:
      return "stopping";
    case ServerState::kAbsent:
      return "absent";
  }
  return "";
}

std::optional<ProcessIdentity> ReadProcessIdentity(const std::filesystem::path& procfs,
                                                   std::int64_t pid) {
  const Result<std::string> stat = ReadFile(procfs / std::to_string(pid) / "stat");
  if (!stat) return std::nullopt;
  const std::string_view state = StatField(*stat, kStateField);
  const std::string_view ticks = StatField(*stat, kStartTicksField);
  ProcessIdentity identity;
  const auto parsed =
      std::from_chars(ticks.data(), ticks.data() + ticks.size(), identity.start_ticks);
  if (state.size() != 1 || parsed.ec != std::errc()) return std::nullopt;
  identity.state = state.front();
  return identity;
}

std::string ReadBootId(const std::filesystem::path& procfs) {
  std::string id = ReadFile(procfs / "sys/kernel/random/boot_id").value_or("");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

ServerState JudgeState(const StatsSnapshot& snapshot, const JudgeInput& input) {
  if (snapshot.stopping) return ServerState::kStopping;
  const bool same_boot = input.boot_id.empty() || input.boot_id == snapshot.boot_id;
  const bool alive = same_boot && input.process &&
                     input.process->start_ticks == snapshot.process_start_ticks &&
                     input.process->state != 'Z' && input.process->state != 'X';
  if (!alive) return ServerState::kDead;
  const std::int64_t limit = input.hung_after.count();
  for (const StatsLoopSnapshot& loop : snapshot.loops) {
    // Compared as unsigned, since a hostile heartbeat could overflow the difference.
    const std::uint64_t now = static_cast<std::uint64_t>(input.now_steady_ns);
    const std::uint64_t beat = static_cast<std::uint64_t>(loop.heartbeat_ns);
    const std::uint64_t apart = loop.heartbeat_ns > input.now_steady_ns ? beat - now : now - beat;
    if (apart > static_cast<std::uint64_t>(limit)) return ServerState::kHung;
  }
  return ServerState::kUp;
}

ServerState JudgeState(const Result<StatsSnapshot>& snapshot, const std::filesystem::path& procfs,
                       std::int64_t now_steady_ns) {
  if (!snapshot) return ServerState::kAbsent;
  JudgeInput input;
  input.process = ReadProcessIdentity(procfs, snapshot->pid);
  input.boot_id = ReadBootId(procfs);
  input.now_steady_ns = now_steady_ns;
  return JudgeState(*snapshot, input);
}

}  // namespace atalaya::telemetry
