#include "alertd/collect/target_files.h"

#include <glob.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/log.h"

namespace atalaya::alertd {
namespace {

constexpr std::uint32_t kFolderEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
constexpr std::size_t kEventBytes = 16u << 10;
constexpr std::string_view kForm =
    R"(expected [{"targets": ["host:port"], "labels": {"name": "text"}}])";

Result<TargetGroup> ParseGroup(const nlohmann::json& object) {
  if (!object.is_object()) return Fail(ErrorCode::kInvalid, "{}", kForm);
  TargetGroup group;
  for (const auto& [key, value] : object.items()) {
    if (key == "targets" && value.is_array()) {
      for (const nlohmann::json& target : value) {
        if (!target.is_string()) return Fail(ErrorCode::kInvalid, "a target is no text; {}", kForm);
        group.addresses.push_back(target.get<std::string>());
      }
    } else if (key == "labels" && value.is_object()) {
      for (const auto& [name, label] : value.items()) {
        if (!label.is_string())
          return Fail(ErrorCode::kInvalid, "the label \"{}\" is no text; {}", name, kForm);
        group.labels[name] = label.get<std::string>();
      }
    } else {
      return Fail(ErrorCode::kInvalid, "\"{}\" is not understood; {}", key, kForm);
    }
  }
  return group;
}

std::vector<std::string> Matching(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t found{};
  glob(pattern.c_str(), 0, nullptr, &found);
  for (std::size_t i = 0; i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
  globfree(&found);
  return files;
}

}  // namespace

Result<std::vector<TargetGroup>> ParseTargetFile(std::string_view json) {
  const nlohmann::json list = nlohmann::json::parse(json, nullptr, false);
  if (list.is_discarded()) return Fail(ErrorCode::kInvalid, "is no JSON");
  if (!list.is_array()) return Fail(ErrorCode::kInvalid, "{}", kForm);
  std::vector<TargetGroup> groups;
  for (const nlohmann::json& object : list) {
    Result<TargetGroup> group = ParseGroup(object);
    if (!group) return Forward(group.error());
    groups.push_back(std::move(*group));
  }
  return groups;
}

struct TargetFiles::Impl : IoHandler {
  struct File {
    std::optional<std::string> content;  // As last read.
    std::vector<TargetGroup> groups;
    bool broken = false;
  };

  Impl(EventLoop& with_loop, std::function<void()> on_changed)
      : loop(with_loop), changed(std::move(on_changed)) {}
  void OnIo(std::uint32_t) override;
  void Refresh();
  bool ReadAll();
  bool ReadOne(const std::string& path);
  static bool Broken(File& file, const std::string& why);

  EventLoop& loop;
  const std::function<void()> changed;
  UniqueFd inotify;
  std::vector<std::string> patterns;
  std::map<std::string, std::vector<std::string>> paths;  // By pattern.
  std::map<std::string, File> files;                      // By path.
  bool said_too_many = false;
  TimerId timer = 0;
};

void TargetFiles::Impl::OnIo(std::uint32_t) {
  char buffer[kEventBytes];
  while (read(inotify.get(), buffer, sizeof buffer) > 0) continue;
  if (ReadAll()) changed();
}

void TargetFiles::Impl::Refresh() {
  timer = loop.RunAfter(kTargetFilesRefresh, [this] { Refresh(); });
  if (ReadAll()) changed();
}

// Whether anything is other than before.
bool TargetFiles::Impl::ReadAll() {
  paths.clear();
  std::map<std::string, File> gone = std::exchange(files, {});
  bool differs = false;
  for (const std::string& pattern : patterns) {
    const std::string folder = std::filesystem::path(pattern).parent_path();
    // The same folder again keeps its watch; one that is away is tried again later.
    inotify_add_watch(inotify.get(), folder.c_str(), kFolderEvents | IN_ONLYDIR);
    paths[pattern] = Matching(pattern);
    for (const std::string& path : paths[pattern]) {
      if (files.contains(path)) continue;
      if (files.size() >= kMaxTargetFiles) {
        if (!std::exchange(said_too_many, true))
          LogWarning("{}: more than {} files of targets; it is passed over", path, kMaxTargetFiles);
        continue;
      }
      if (auto known = gone.extract(path)) files.insert(std::move(known));
      differs = ReadOne(path) || differs;
    }
  }
  return differs || !gone.empty();
}

bool TargetFiles::Impl::ReadOne(const std::string& path) {
  File& file = files[path];
  Result<std::string> content = ReadFile(path, kMaxTargetFileBytes);
  if (!content) {
    file.content.reset();
    return Broken(file, content.error().message);
  }
  if (*content == file.content) return false;
  file.content = std::move(*content);
  Result<std::vector<TargetGroup>> groups = ParseTargetFile(*file.content);
  if (!groups) return Broken(file, fmt::format("{}: {}", path, groups.error().message));
  if (file.broken) LogInfo("{}: read again", path);
  file.broken = false;
  for (TargetGroup& group : *groups) group.labels["__meta_filepath"] = path;
  file.groups = std::move(*groups);
  return true;
}

// Whether that is news.
bool TargetFiles::Impl::Broken(File& file, const std::string& why) {
  if (std::exchange(file.broken, true)) return false;
  LogError("{}; the targets it named before stay ({} groups)", why, file.groups.size());
  return true;
}

TargetFiles::TargetFiles(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TargetFiles::~TargetFiles() {
  impl_->loop.CancelTimer(impl_->timer);
  impl_->loop.Remove(impl_->inotify.get(), impl_.get());
}

Result<std::unique_ptr<TargetFiles>> TargetFiles::Create(EventLoop& loop,
                                                         std::function<void()> changed) {
  auto impl = std::make_unique<Impl>(loop, std::move(changed));
  impl->inotify = UniqueFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!impl->inotify) return Fail(ErrorCode::kIo, "inotify: {}", ErrnoText(errno));
  if (Status added = loop.Add(impl->inotify.get(), EPOLLIN, impl.get()); !added)
    return Forward(added.error());
  impl->timer = loop.RunAfter(kTargetFilesRefresh, [impl = impl.get()] { impl->Refresh(); });
  return std::unique_ptr<TargetFiles>(new TargetFiles(std::move(impl)));
}

void TargetFiles::Watch(std::vector<std::string> patterns) {
  impl_->patterns = std::move(patterns);
  impl_->ReadAll();
}

std::vector<TargetGroup> TargetFiles::Groups(const std::string& pattern) const {
  std::vector<TargetGroup> groups;
  const auto paths = impl_->paths.find(pattern);
  if (paths == impl_->paths.end()) return groups;
  for (const std::string& path : paths->second) {
    const auto file = impl_->files.find(path);
    if (file == impl_->files.end()) continue;
    groups.insert(groups.end(), file->second.groups.begin(), file->second.groups.end());
  }
  return groups;
}

std::size_t TargetFiles::broken() const {
  std::size_t count = 0;
  for (const auto& [path, file] : impl_->files) count += file.broken ? 1 : 0;
  return count;
}

}  // namespace atalaya::alertd
