#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "telemetry/server_state.h"
#include "telemetry/stats_layout.h"
#include "telemetry/stats_segment.h"

namespace atalaya::telemetry {
namespace {

using stats_layout::Beat;
using stats_layout::Header;

constexpr mode_t kMode = 0640;
constexpr char kProcfs[] = "/proc";

bool IsGoodName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxStatsName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-';
         });
}

// A leftover of a crash, or of this process, may be replaced; a living server's may not.
Status RefuseForeignSegment(const std::filesystem::path& path) {
  const Result<StatsSnapshot> old = ReadStats(path);
  if (!old || old->pid == getpid()) return {};
  const std::optional<ProcessIdentity> holder = ReadProcessIdentity(kProcfs, old->pid);
  if (!holder || holder->state == 'Z' || holder->start_ticks != old->process_start_ticks ||
      old->boot_id != ReadBootId(kProcfs)) {
    return {};
  }
  return Fail(ErrorCode::kBusy, "{}: in use by {} (pid {}); choose another name", path.string(),
              old->name, old->pid);
}

void FillHeader(Header& header, const StatsWriterOptions& options) {
  std::memcpy(header.magic, stats_layout::kMagic, sizeof header.magic);
  header.version = stats_layout::kVersion;
  header.header_bytes = sizeof(Header);
  header.block_bytes = static_cast<std::uint32_t>(stats_layout::BlockBytes(kStatCount));
  header.loop_count = static_cast<std::uint32_t>(options.loops);
  header.value_count = kStatCount;
  header.pid = getpid();
  const std::optional<ProcessIdentity> self = ReadProcessIdentity(kProcfs, getpid());
  header.process_start_ticks = self ? self->start_ticks : 0;
  header.start_time_ms = SystemClock().NowMs();
  const std::string boot_id = ReadBootId(kProcfs);
  boot_id.copy(header.boot_id, sizeof header.boot_id - 1);
  options.name.copy(header.name, sizeof header.name - 1);
}

Result<UniqueFd> CreateBeside(const std::filesystem::path& beside, std::size_t bytes) {
  unlink(beside.c_str());  // Of a crash of a process with this pid.
  UniqueFd fd(open(beside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kMode));
  if (!fd) {
    return Fail(ErrorCode::kIo, "{}: cannot create: {}", beside.string(), ErrnoText(errno));
  }
  fchmod(fd.get(), kMode);  // Whatever the umask says, the exporter's group may read.
  // Reserved now, so that a full /dev/shm is an error here and no SIGBUS later.
  const int error = posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes));
  if (error != 0) {
    unlink(beside.c_str());
    return Fail(ErrorCode::kIo, "{}: cannot reserve {} bytes: {}", beside.string(), bytes,
                ErrnoText(error));
  }
  return fd;
}

void StoreBeat(std::uint64_t* beat, std::uint64_t heartbeats, std::int64_t steady_ns) {
  const auto time = static_cast<std::uint64_t>(steady_ns);
  std::atomic_ref<std::uint64_t>(beat[0]).store(heartbeats, std::memory_order_relaxed);
  std::atomic_ref<std::uint64_t>(beat[1]).store(time, std::memory_order_relaxed);
  std::atomic_ref<std::uint64_t>(beat[2]).store(stats_layout::BeatCheck(heartbeats, time),
                                                std::memory_order_relaxed);
}

}  // namespace

void StatsLoop::Beat(std::int64_t steady_ns) {
  const std::uint64_t beats =
      std::atomic_ref<std::uint64_t>(beat_[0]).load(std::memory_order_relaxed);
  StoreBeat(beat_, beats + 1, steady_ns);
}

Result<std::unique_ptr<StatsWriter>> StatsWriter::Create(const StatsWriterOptions& options) {
  if (!IsGoodName(options.name)) {
    return Fail(ErrorCode::kInvalid,
                "\"{}\" is not a server name (write 1 to {} characters of A-Z a-z 0-9 _ . -)",
                options.name, kMaxStatsName);
  }
  if (options.loops < 1 || options.loops > kMaxStatsLoops) {
    return Fail(ErrorCode::kInvalid, "{} loops are out of range (1 to {})", options.loops,
                kMaxStatsLoops);
  }
  if (Status free = RefuseForeignSegment(options.path); !free) return Forward(free.error());

  const std::size_t bytes = sizeof(Header) + options.loops * stats_layout::BlockBytes(kStatCount);
  const std::filesystem::path beside = fmt::format("{}.new.{}", options.path.string(), getpid());
  Result<UniqueFd> fd = CreateBeside(beside, bytes);
  if (!fd) return Forward(fd.error());
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0);
  if (memory == MAP_FAILED) {
    const int error = errno;
    unlink(beside.c_str());
    return Fail(ErrorCode::kIo, "{}: cannot map: {}", beside.string(), ErrnoText(error));
  }
  std::unique_ptr<StatsWriter> writer(
      new StatsWriter(static_cast<std::byte*>(memory), bytes, options.loops));
  FillHeader(*static_cast<Header*>(memory), options);
  for (StatsLoop& loop : writer->loops_) StoreBeat(loop.beat_, 0, SystemClock().SteadyNs());
  if (rename(beside.c_str(), options.path.c_str()) != 0) {
    const int error = errno;
    unlink(beside.c_str());
    return Fail(ErrorCode::kIo, "{}: cannot rename to {}: {}", beside.string(),
                options.path.string(), ErrnoText(error));
  }
  return writer;
}

StatsWriter::StatsWriter(std::byte* memory, std::size_t bytes, std::size_t loops)
    : memory_(memory), bytes_(bytes) {
  for (std::size_t i = 0; i < loops; ++i) {
    std::byte* block = memory + sizeof(Header) + i * stats_layout::BlockBytes(kStatCount);
    loops_.push_back(StatsLoop(reinterpret_cast<std::uint64_t*>(block),
                               reinterpret_cast<std::uint64_t*>(block + sizeof(Beat))));
  }
}

StatsWriter::~StatsWriter() { munmap(memory_, bytes_); }

void StatsWriter::MarkStopping() {
  std::atomic_ref<std::uint64_t>(reinterpret_cast<Header*>(memory_)->stopping)
      .store(1, std::memory_order_release);
}

}  // namespace atalaya::telemetry
