#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"
#include "telemetry/stats_layout.h"
#include "telemetry/stats_segment.h"

namespace atalaya::telemetry {
namespace {

using stats_layout::Beat;
using stats_layout::Header;

constexpr std::size_t kMaxSegmentBytes = 16u << 20;

// What stands in a fixed field, up to the first 0 byte; anything unprintable becomes '?', since it
// ends up in a label.
template <std::size_t N>
std::string FieldText(const char (&field)[N]) {
  std::string text(field, strnlen(field, N));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

Status CheckHeader(const Header& header, std::size_t bytes, const std::string& place) {
  if (std::memcmp(header.magic, stats_layout::kMagic, sizeof header.magic) != 0) {
    return Fail(ErrorCode::kInvalid, "{}: not a stats segment", place);
  }
  if (header.version > stats_layout::kVersion) {
    return Fail(ErrorCode::kVersion, "{}: stats segment of version {}; this program reads up to {}",
                place, header.version, stats_layout::kVersion);
  }
  const bool sane = header.version >= 1 && header.header_bytes >= sizeof(Header) &&
                    header.header_bytes <= bytes && header.header_bytes % sizeof(void*) == 0 &&
                    header.loop_count >= 1 && header.loop_count <= kMaxStatsLoops &&
                    header.value_count <= stats_layout::kMaxValues &&
                    header.block_bytes >= stats_layout::BlockBytes(header.value_count) &&
                    header.block_bytes % stats_layout::kCacheLine == 0 && header.pid > 0 &&
                    (bytes - header.header_bytes) / header.loop_count >= header.block_bytes;
  if (!sane) return Fail(ErrorCode::kInvalid, "{}: damaged stats segment", place);
  return {};
}

StatsLoopSnapshot ReadBlock(std::span<const std::byte> block, std::size_t value_count) {
  Beat beat;
  std::memcpy(&beat, block.data(), sizeof beat);
  StatsLoopSnapshot loop;
  loop.heartbeats = beat.heartbeats;
  loop.heartbeat_ns = static_cast<std::int64_t>(beat.steady_ns);
  loop.torn = beat.check != stats_layout::BeatCheck(beat.heartbeats, beat.steady_ns);
  loop.values.resize(kStatCount);
  const std::size_t known = std::min(value_count, kStatCount);
  std::memcpy(loop.values.data(), block.data() + sizeof beat, known * sizeof(std::uint64_t));
  return loop;
}

Result<UniqueFd> OpenSegment(const std::filesystem::path& path, std::size_t* bytes) {
  // O_NONBLOCK: a pipe put in its place must not hold the reader.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!fd) {
    const ErrorCode code = errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
    return Fail(code, "{}: cannot open: {}", path.string(), ErrnoText(errno));
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) {
    return Fail(ErrorCode::kIo, "{}: cannot stat: {}", path.string(), ErrnoText(errno));
  }
  if (!S_ISREG(status.st_mode) || static_cast<std::size_t>(status.st_size) > kMaxSegmentBytes) {
    return Fail(ErrorCode::kInvalid, "{}: not a stats segment", path.string());
  }
  *bytes = static_cast<std::size_t>(status.st_size);
  return fd;
}

}  // namespace

std::int64_t StatsSnapshot::Total(Stat stat) const {
  std::uint64_t total = 0;
  for (const StatsLoopSnapshot& loop : loops) total += loop.values[static_cast<std::size_t>(stat)];
  return static_cast<std::int64_t>(total);
}

Result<StatsSnapshot> ParseStats(std::span<const std::byte> bytes, const std::string& place) {
  if (bytes.size() < sizeof(Header)) {
    return Fail(ErrorCode::kInvalid, "{}: not a stats segment", place);
  }
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (Status good = CheckHeader(header, bytes.size(), place); !good) return Forward(good.error());

  StatsSnapshot snapshot;
  snapshot.version = header.version;
  snapshot.name = FieldText(header.name);
  snapshot.pid = header.pid;
  snapshot.process_start_ticks = header.process_start_ticks;
  snapshot.boot_id = FieldText(header.boot_id);
  snapshot.start_time_ms = header.start_time_ms;
  snapshot.stopping = header.stopping != 0;
  snapshot.loops.reserve(header.loop_count);
  for (std::size_t i = 0; i < header.loop_count; ++i) {
    snapshot.loops.push_back(
        ReadBlock(bytes.subspan(header.header_bytes + i * header.block_bytes, header.block_bytes),
                  header.value_count));
  }
  return snapshot;
}

Result<StatsSnapshot> ReadStats(const std::filesystem::path& path) {
  std::size_t bytes = 0;
  const Result<UniqueFd> fd = OpenSegment(path, &bytes);
  if (!fd) return Forward(fd.error());
  std::vector<std::byte> content(bytes);
  for (int tries = 1;; ++tries) {
    const ssize_t got = pread(fd->get(), content.data(), content.size(), 0);
    if (got < 0) {
      return Fail(ErrorCode::kIo, "{}: cannot read: {}", path.string(), ErrnoText(errno));
    }
    Result<StatsSnapshot> snapshot =
        ParseStats(std::span(content).first(static_cast<std::size_t>(got)), path.string());
    const bool torn = snapshot && std::any_of(snapshot->loops.begin(), snapshot->loops.end(),
                                              [](const auto& loop) { return loop.torn; });
    if (!torn || tries == kStatsReadTries) return snapshot;
  }
}

}  // namespace atalaya::telemetry
