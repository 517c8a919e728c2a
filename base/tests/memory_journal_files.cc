#include "base/tests/memory_journal_files.h"

#include <algorithm>

namespace atalaya {
namespace {

constexpr std::size_t kSectorBytes = 512;

}  // namespace

class MemoryJournalFiles::File : public JournalFile {
 public:
  File(MemoryJournalFiles* files, std::shared_ptr<Node> node)
      : files_(files), node_(std::move(node)) {}

  Status Write(std::string_view bytes, std::uint64_t offset) override {
    const std::lock_guard lock(files_->mutex_);
    const std::uint64_t end = offset + bytes.size();
    const std::uint64_t used = files_->Used();
    std::uint64_t grows = end > node_->now.size() ? end - node_->now.size() : 0;
    const std::uint64_t room = files_->capacity_ > used ? files_->capacity_ - used : 0;
    const bool full = grows > room;
    if (full) {
      const std::uint64_t missing = grows - room;
      bytes = bytes.substr(0, bytes.size() - std::min<std::uint64_t>(missing, bytes.size()));
      grows = room;
    }
    node_->now.resize(node_->now.size() + grows);
    if (!bytes.empty()) bytes.copy(node_->now.data() + offset, bytes.size());
    if (full) return Fail(ErrorCode::kLimit, "memory: no room");
    return {};
  }

  Status Sync() override {
    const std::lock_guard lock(files_->mutex_);
    if (files_->fail_syncs_) return Fail(ErrorCode::kIo, "memory: sync failed");
    node_->durable = node_->now;
    return {};
  }

  Result<std::uint64_t> Size() override {
    const std::lock_guard lock(files_->mutex_);
    return node_->now.size();
  }

  Result<std::string> ReadAll(std::uint64_t limit_bytes) override {
    const std::lock_guard lock(files_->mutex_);
    return node_->now.substr(0, limit_bytes);
  }

 private:
  MemoryJournalFiles* files_;
  std::shared_ptr<Node> node_;
};

MemoryJournalFiles::MemoryJournalFiles() = default;
MemoryJournalFiles::~MemoryJournalFiles() = default;

Result<std::vector<std::string>> MemoryJournalFiles::List(const std::filesystem::path&) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, node] : names_) names.push_back(name);
  return names;
}

Result<std::unique_ptr<JournalFile>> MemoryJournalFiles::Open(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Node>& node = names_[path.filename()];
  if (!node) node = std::make_shared<Node>();
  return std::make_unique<File>(this, node);
}

Status MemoryJournalFiles::Rename(const std::filesystem::path& from,
                                  const std::filesystem::path& to) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(from.filename());
  if (found == names_.end()) return Fail(ErrorCode::kIo, "memory: nothing to rename");
  std::shared_ptr<Node> node = found->second;
  names_.erase(found);
  names_[to.filename()] = std::move(node);
  return {};
}

Status MemoryJournalFiles::Remove(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  if (names_.erase(path.filename()) == 0) return Fail(ErrorCode::kIo, "memory: nothing to remove");
  return {};
}

Status MemoryJournalFiles::SyncFolder(const std::filesystem::path&) {
  const std::lock_guard lock(mutex_);
  durable_names_ = names_;
  return {};
}

void MemoryJournalFiles::SetCapacity(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void MemoryJournalFiles::FailSyncs() {
  const std::lock_guard lock(mutex_);
  fail_syncs_ = true;
}

MemoryJournalFiles::Image MemoryJournalFiles::AfterPowerFailure(
    const std::function<bool(std::uint64_t)>& survives) {
  const std::lock_guard lock(mutex_);
  Image image;
  for (const auto& [name, node] : durable_names_) {
    std::string content = node->durable;
    content.resize(node->now.size());
    for (std::size_t at = 0; at < content.size(); at += kSectorBytes) {
      const std::size_t some = std::min(kSectorBytes, content.size() - at);
      if (node->now.compare(at, some, content, at, some) == 0) continue;
      if (survives(at / kSectorBytes)) content.replace(at, some, node->now, at, some);
    }
    image[name] = std::move(content);
  }
  return image;
}

void MemoryJournalFiles::Load(const Image& image) {
  {
    const std::lock_guard lock(mutex_);
    names_.clear();
    durable_names_.clear();
  }
  for (const auto& [name, content] : image) SetContent(name, content);
}

std::uint64_t MemoryJournalFiles::Used() const {
  std::uint64_t used = 0;
  for (const auto& [name, node] : names_) used += node->now.size();
  return used;
}

MemoryJournalFiles::Image MemoryJournalFiles::Contents() {
  const std::lock_guard lock(mutex_);
  Image contents;
  for (const auto& [name, node] : names_) contents[name] = node->now;
  return contents;
}

void MemoryJournalFiles::SetContent(const std::string& name, std::string content) {
  const std::lock_guard lock(mutex_);
  const auto node = std::make_shared<Node>(Node{content, content});
  names_[name] = node;
  durable_names_[name] = node;
}

}  // namespace atalaya
