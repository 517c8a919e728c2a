// cloud_server on a disk that forgets: what is written reaches the file only with the sync that
// covers it, but for sectors chosen at random that get there before; a file's new name only with
// the sync of its folder. SIGKILL is then what a power failure is to the real one.

#include <cstdio>
#include <map>
#include <mutex>
#include <random>

#include "base/log.h"
#include "base/stop_signal.h"
#include "cloud_server/app.h"
#include "cloud_server/config.h"

namespace {

using namespace atalaya;

constexpr std::size_t kSectorBytes = 512;

class ForgetfulFile : public JournalFile {
 public:
  explicit ForgetfulFile(std::unique_ptr<JournalFile> file) : file_(std::move(file)) {}

  Status Write(std::string_view bytes, std::uint64_t offset) override {
    unsynced_.emplace_back(offset, bytes);
    for (std::size_t at = 0; at < bytes.size(); at += kSectorBytes) {
      if (random_() % 8 != 0) continue;
      const Status early = file_->Write(bytes.substr(at, kSectorBytes), offset + at);
      if (!early) return early;
    }
    return {};
  }

  Status Sync() override {
    for (const auto& [offset, bytes] : unsynced_) {
      if (Status written = file_->Write(bytes, offset); !written) return written;
    }
    unsynced_.clear();
    return {};
  }

  Result<std::uint64_t> Size() override { return file_->Size(); }
  Result<std::string> ReadAll(std::uint64_t limit_bytes) override {
    return file_->ReadAll(limit_bytes);
  }

 private:
  std::unique_ptr<JournalFile> file_;
  std::vector<std::pair<std::uint64_t, std::string>> unsynced_;
  std::minstd_rand random_{std::random_device()()};
};

class ForgetfulFiles : public JournalFiles {
 public:
  Result<std::vector<std::string>> List(const std::filesystem::path& folder) override {
    return SystemJournalFiles().List(folder);
  }
  Result<std::unique_ptr<JournalFile>> Open(const std::filesystem::path& path) override {
    Result<std::unique_ptr<JournalFile>> file = SystemJournalFiles().Open(path);
    if (!file) return file;
    return std::make_unique<ForgetfulFile>(std::move(*file));
  }
  Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    const std::lock_guard lock(mutex_);
    renames_.emplace_back(from, to);
    return {};
  }
  Status Remove(const std::filesystem::path& path) override {
    return SystemJournalFiles().Remove(path);
  }
  Status SyncFolder(const std::filesystem::path&) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [from, to] : renames_) {
      if (Status named = SystemJournalFiles().Rename(from, to); !named) return named;
    }
    renames_.clear();
    return {};
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::filesystem::path, std::filesystem::path>> renames_;
};

int End(const Error& error) {
  std::fprintf(stderr, "power_loss_server: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Result<cloud_server::Options> options = cloud_server::ParseOptions(argc, argv);
  if (!options) return End(options.error());
  StopSignal stop = StopSignal::Install();
  Result<cloud_server::Config> config = cloud_server::LoadConfig(*options);
  if (!config) return End(config.error());
  InitLog("power_loss_server", config->log_level);
  ForgetfulFiles files;
  config->journal_files = &files;
  Result<std::unique_ptr<cloud_server::App>> app = cloud_server::App::Create(*config);
  if (!app) return End(app.error());
  const Status ended = (*app)->Run(stop);
  return ended ? 0 : End(ended.error());
}
