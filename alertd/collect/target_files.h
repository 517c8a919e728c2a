#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxTargetFileBytes = 4u << 20;
inline constexpr std::size_t kMaxTargetFiles = 1'000;  // Of all patterns together.

// Files are read again when inotify says so, and this often in any case: a folder that is not there
// yet, or is on a network, tells nothing.
inline constexpr std::chrono::seconds kTargetFilesRefresh{30};

// Targets that belong together, with the labels they have in common.
struct TargetGroup {
  std::vector<std::string> addresses;
  LabelMap labels;

  friend bool operator==(const TargetGroup&, const TargetGroup&) = default;
};

// Reads Prometheus's file_sd form: `[{"targets": ["a:1"], "labels": {"room": "cellar"}}]`; kInvalid
// where it is anything else.
Result<std::vector<TargetGroup>> ParseTargetFile(std::string_view json);

// Files of targets, watched for change. A file that cannot be read or understood is said once, and
// what it held before stays; one that is gone has no targets any more.
// Threads: that of the loop.
class TargetFiles {
 public:
  // `changed` is called, on the loop's thread, when any file's targets may differ. kIo where the
  // kernel gives no inotify descriptor. `loop` must outlive it.
  static Result<std::unique_ptr<TargetFiles>> Create(EventLoop& loop,
                                                     std::function<void()> changed);
  ~TargetFiles();
  TargetFiles(const TargetFiles&) = delete;
  TargetFiles& operator=(const TargetFiles&) = delete;

  // From now on those that match `patterns` (wildcards in the last part only). Reads them.
  void Watch(std::vector<std::string> patterns);

  // Of the files that match `pattern`, in the order of their names; each group has the label
  // __meta_filepath.
  std::vector<TargetGroup> Groups(const std::string& pattern) const;

  std::size_t broken() const;  // Files that cannot be read now.

 private:
  struct Impl;
  explicit TargetFiles(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
