// A file is there, new enough and large enough: a backup, the trace of a job that ran.

#include <glob.h>
#include <sys/stat.h>

#include <memory>

#include "alertd/collect/probe/probe.h"
#include "alertd/collect/probe/probe_tools.h"
#include "base/duration.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMaxFileMatches = 10'000;  // Of one pattern.

struct FoundFile {
  std::int64_t modified_ms = 0;
  std::uint64_t size = 0;
  std::string path;
};

Result<FoundFile> LookAt(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    return Fail(ErrorCode::kNotFound, "{}: {}", path, ErrnoText(errno));
  return FoundFile{std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / kNsPerMs,
                   static_cast<std::uint64_t>(status.st_size), path};
}

// The newest file that matches.
Result<FoundFile> LookAtNewest(const std::string& pattern) {
  glob_t found{};
  const int code = glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  const std::unique_ptr<glob_t, decltype(&globfree)> owned(&found, &globfree);
  if (code == GLOB_NOMATCH) return Fail(ErrorCode::kNotFound, "no file matches {}", pattern);
  if (code != 0) return Fail(ErrorCode::kIo, "{}: cannot be searched", pattern);
  if (found.gl_pathc > kMaxFileMatches)
    return Fail(ErrorCode::kLimit, "more than {} files match {}", kMaxFileMatches, pattern);
  Result<FoundFile> newest = Fail(ErrorCode::kNotFound, "no file matches {}", pattern);
  for (std::size_t i = 0; i < found.gl_pathc; ++i) {
    Result<FoundFile> file = LookAt(found.gl_pathv[i]);
    if (file && (!newest || file->modified_ms > newest->modified_ms)) newest = std::move(file);
  }
  return newest;
}

class FileProbe final : public Probe {
 public:
  FileProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events)
      : Probe(std::move(events)), config_(config), tools_(tools), call_(tools.side) {}
  ~FileProbe() override { tools_.loop.CancelTimer(timer_); }

  void Begin() override {
    timer_ = tools_.loop.RunAfter(config_.timeout, [this] {
      call_.Cancel();
      timer_ = 0;
      Finish(ProbeFaultKind::kTimeout,
             fmt::format("{}: no answer of its file system within {}", config_.file.path,
                         FormatDuration(config_.timeout)));
    });
    const std::string& path = config_.file.path;
    const bool pattern = path.find_first_of("*?[") != std::string::npos;
    call_.Begin([path, pattern] { return pattern ? LookAtNewest(path) : LookAt(path); },
                [this](const Result<FoundFile>& file) { Found(file); });
  }

 private:
  void Found(const Result<FoundFile>& file) {
    tools_.loop.CancelTimer(std::exchange(timer_, 0));
    if (!file) {
      return Finish(
          file.error().code == ErrorCode::kLimit ? ProbeFaultKind::kLimit : ProbeFaultKind::kState,
          file.error().message);
    }
    const std::chrono::milliseconds age(tools_.clock.NowMs() - file->modified_ms);
    ProbeOutcome outcome;
    outcome.values = {
        {"probe_file_age_seconds", std::chrono::duration<double>(age).count(), {}, {}},
        {"probe_file_size_bytes", static_cast<double>(file->size), {}, {}}};
    const FileProbeConfig& wanted = config_.file;
    if (wanted.max_age.count() != 0 && age > wanted.max_age) {
      outcome.fault =
          ProbeFault{ProbeFaultKind::kState,
                     fmt::format("{} is {} old, more than {}", file->path,
                                 FormatDuration(std::chrono::floor<std::chrono::seconds>(age)),
                                 FormatDuration(wanted.max_age))};
    } else if (file->size < wanted.min_size) {
      outcome.fault = ProbeFault{
          ProbeFaultKind::kState,
          fmt::format("{} holds {} bytes, less than {}", file->path, file->size, wanted.min_size)};
    }
    events_.done(std::move(outcome));
  }

  void Finish(ProbeFaultKind kind, std::string message) {
    ProbeOutcome outcome;
    outcome.fault = ProbeFault{kind, std::move(message)};
    events_.done(std::move(outcome));
  }

  const ProbeConfig& config_;
  ProbeTools& tools_;
  SideCall<Result<FoundFile>> call_;
  TimerId timer_ = 0;
};

}  // namespace

std::unique_ptr<Probe> MakeFileProbe(const ProbeConfig& config, ProbeTools& tools,
                                     ProbeEvents events) {
  return std::make_unique<FileProbe>(config, tools, std::move(events));
}

}  // namespace atalaya::alertd
