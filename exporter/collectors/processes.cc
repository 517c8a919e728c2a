#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <unordered_map>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

// What proc_pid_stat(5) says of a process or a thread.
struct ProcessStat {
  unsigned char state = '?';
  std::uint64_t threads = 0;
};

using StateCounts = std::array<std::uint64_t, 128>;  // By state letter.

std::optional<ProcessStat> ReadProcessStat(const UniqueFd& fd) {
  constexpr int kThreadsField = 20;
  char buffer[1024];  // Longer than any stat's first 20 fields.
  const ssize_t got = pread(fd.get(), buffer, sizeof buffer, 0);
  if (got <= 0) return std::nullopt;  // It ended meanwhile.
  std::string_view text(buffer, static_cast<std::size_t>(got));
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  text.remove_prefix(name_end + 1);
  const std::string_view state = TakeWord(text);
  for (int field = 4; field < kThreadsField; ++field) TakeWord(text);
  const auto threads = ParseValue<std::uint64_t>(TakeWord(text));
  if (state.size() != 1 || !threads) return std::nullopt;
  return ProcessStat{static_cast<unsigned char>(state[0]), *threads};
}

// The stat files of /proc's processes. Opening one costs more than reading it: they stay open from
// scrape to scrape.
class StatFiles {
 public:
  explicit StatFiles(int folder) : folder_(folder) {}

  // Nothing for a process that ended. Its number may be another's by the next scrape.
  std::optional<ProcessStat> Read(const char* pid) {
    const auto number = ParseNumber<std::uint32_t>(pid);
    if (!number) return std::nullopt;
    const auto kept = kept_.find(*number);
    if (kept != kept_.end()) {
      kept->second.scrape = scrape_;
      if (const auto stat = ReadProcessStat(kept->second.fd)) return stat;
      kept_.erase(kept);
    }
    path_.assign(pid).append("/stat");
    UniqueFd fd(openat(folder_, path_.c_str(), O_RDONLY | O_CLOEXEC));
    const std::optional<ProcessStat> stat = ReadProcessStat(fd);
    if (stat && kept_.size() < kMaxKept) kept_.emplace(*number, Kept{std::move(fd), scrape_});
    return stat;
  }

  // Closes those not read since the last call.
  void EndScrape() {
    std::erase_if(kept_, [&](const auto& entry) { return entry.second.scrape != scrape_; });
    ++scrape_;
  }

 private:
  static constexpr std::size_t kMaxKept = 512;  // Well below 1,024 descriptors, the usual limit.
  struct Kept {
    UniqueFd fd;
    std::uint64_t scrape;
  };

  int folder_;
  std::string path_;
  std::uint64_t scrape_ = 0;
  std::unordered_map<std::uint32_t, Kept> kept_;
};

// A folder whose numbered entries are listed again and again.
class NumberedFolder {
 public:
  explicit NumberedFolder(int fd) : entries_(fd < 0 ? nullptr : fdopendir(fd)) {
    if (entries_ == nullptr && fd >= 0) close(fd);
  }
  ~NumberedFolder() {
    if (entries_ != nullptr) closedir(entries_);
  }
  NumberedFolder(const NumberedFolder&) = delete;
  NumberedFolder& operator=(const NumberedFolder&) = delete;

  bool open() const { return entries_ != nullptr; }
  int fd() const { return dirfd(entries_); }
  void Rewind() { rewinddir(entries_); }
  const char* Next() {  // Null at the end.
    while (const dirent* entry = readdir(entries_)) {
      if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') return entry->d_name;
    }
    return nullptr;
  }

 private:
  DIR* entries_;
};

class Processes final : public Collector {
 public:
  explicit Processes(const CollectorOptions& options)
      : procfs_(options.procfs),
        max_pids_(options.procfs / "sys/kernel/pid_max", FileShape::kWhole),
        max_threads_(options.procfs / "sys/kernel/threads-max", FileShape::kWhole) {}

  Status Collect(TextWriter& out) override {
    if (!folder_) {
      folder_.emplace(open(procfs_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!folder_->open()) {
        folder_.reset();
        return Fail(ErrorCode::kNotFound, "{}: cannot be listed", procfs_.string());
      }
      stats_.emplace(folder_->fd());
    }
    Count();
    if (const auto max = ReadLimit(max_pids_)) Write(out, kMaxPids, *max);
    if (const auto max = ReadLimit(max_threads_)) Write(out, kMaxThreads, *max);
    Write(out, kPids, pids_);
    WriteStates(out, "node_processes_state", "Processes, by state.", "state", states_);
    Write(out, kThreads, threads_);
    WriteStates(out, "node_processes_threads_state", "Threads, by state.", "thread_state",
                thread_states_);
    return {};
  }

 private:
  struct Figure {
    std::string_view metric;
    std::string_view help;
  };
  static constexpr Figure kMaxPids{"node_processes_max_processes", "Process ids there can be."};
  static constexpr Figure kMaxThreads{"node_processes_max_threads", "Threads there can be."};
  static constexpr Figure kPids{"node_processes_pids", "Processes there are."};
  static constexpr Figure kThreads{"node_processes_threads", "Threads there are."};

  void Count() {
    states_ = {};
    thread_states_ = {};
    pids_ = threads_ = 0;
    folder_->Rewind();
    while (const char* pid = folder_->Next()) {
      const std::optional<ProcessStat> stat = stats_->Read(pid);
      if (!stat) continue;
      ++pids_;
      ++states_[stat->state & 127];
      threads_ += stat->threads;
      if (stat->threads == 1) {
        ++thread_states_[stat->state & 127];  // Its only thread is in the same state.
      } else {
        CountThreads(pid);
      }
    }
    stats_->EndScrape();
  }

  void CountThreads(const char* pid) {
    path_.assign(pid).append("/task");
    NumberedFolder tasks(openat(folder_->fd(), path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!tasks.open()) return;
    while (const char* thread = tasks.Next()) {
      path_.assign(thread).append("/stat");
      const UniqueFd fd(openat(tasks.fd(), path_.c_str(), O_RDONLY | O_CLOEXEC));
      if (const auto stat = ReadProcessStat(fd)) ++thread_states_[stat->state & 127];
    }
  }

  static std::optional<std::uint64_t> ReadLimit(KernelFile& file) {
    const Result<std::string_view> content = file.Read();
    return content ? ParseValue<std::uint64_t>(TrimSpace(*content)) : std::nullopt;
  }

  static void Write(TextWriter& out, const Figure& figure, std::uint64_t value) {
    out.Family(figure.metric, MetricType::kGauge, figure.help);
    out.Sample("", value);
  }

  static void WriteStates(TextWriter& out, std::string_view metric, std::string_view help,
                          std::string_view label, const StateCounts& counts) {
    out.Family(metric, MetricType::kGauge, help);
    for (std::size_t state = 0; state < counts.size(); ++state) {
      if (counts[state] == 0) continue;
      const char letter = static_cast<char>(state);
      out.Sample(LabelText(label, std::string_view(&letter, 1)).text(), counts[state]);
    }
  }

  std::filesystem::path procfs_;
  KernelFile max_pids_;
  KernelFile max_threads_;
  std::optional<NumberedFolder> folder_;
  std::optional<StatFiles> stats_;  // Of folder_.
  std::string path_;
  std::uint64_t pids_ = 0;
  std::uint64_t threads_ = 0;
  StateCounts states_{};
  StateCounts thread_states_{};
};

}  // namespace

CollectorResult CreateProcesses(const CollectorOptions& options) {
  return std::make_unique<Processes>(options);
}

}  // namespace atalaya::exporter
