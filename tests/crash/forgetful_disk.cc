#include "tests/crash/forgetful_disk.h"

#include <dlfcn.h>

#include <fstream>
#include <mutex>
#include <string>
#include <vector>

namespace atalaya::crash {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSectorBytes = 512;

struct Memory {
  fs::path folder;
  fs::path synced;
  SyncHook on_sync;
  std::mutex mutex;
};
Memory* memory = nullptr;

// As long as it is now: a writer that is faster than this would never let it end.
std::string Read(const fs::path& path) {
  std::string bytes(fs::file_size(path), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

void Write(const fs::path& path, const std::string& bytes) {
  const fs::path unfinished = path.string() + ".new";
  std::ofstream(unfinished, std::ios::binary | std::ios::trunc) << bytes;
  fs::rename(unfinished, path);  // SIGKILL may come at any moment.
}

void ForgetRemoved() {
  for (const auto& entry : fs::directory_iterator(memory->synced)) {
    if (!fs::exists(memory->folder / entry.path().filename())) fs::remove(entry.path());
  }
}

using SyncCall = int (*)(int);

int SyncAndRemember(int fd, SyncCall sync) {
  if (memory == nullptr) return sync(fd);
  const fs::path path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd));
  if (path != memory->folder && path.parent_path() != memory->folder) return sync(fd);
  const std::lock_guard lock(memory->mutex);
  if (path == memory->folder) {
    const int result = sync(fd);
    ForgetRemoved();
    return result;
  }
  const auto done = memory->on_sync(path.filename());
  const std::string held = Read(path);
  const int result = sync(fd);
  if (result != 0) return result;
  Write(memory->synced / path.filename(), held);
  done();
  return result;
}

SyncCall Real(const char* name) { return reinterpret_cast<SyncCall>(dlsym(RTLD_NEXT, name)); }

// What is on the disk of a file: `synced`, and some sectors of `written`.
std::string Mix(std::string synced, const std::string& written, std::mt19937& random) {
  const unsigned share = 1 + random() % 16;  // From each second sector to hardly one.
  for (std::size_t at = 0; at < written.size(); at += kSectorBytes) {
    if (random() % (share + 1) != 0) continue;
    const std::string sector = written.substr(at, kSectorBytes);
    if (synced.size() < at + sector.size()) synced.resize(at + sector.size());
    synced.replace(at, sector.size(), sector);
  }
  return synced;
}

}  // namespace

void RememberSyncs(const fs::path& folder, const fs::path& synced, SyncHook on_sync) {
  fs::remove_all(synced);
  fs::copy(folder, synced);
  memory = new Memory{folder, synced, std::move(on_sync), {}};
}

void FailPower(const fs::path& folder, const fs::path& synced, std::mt19937& random) {
  std::vector<fs::path> written;
  for (const auto& entry : fs::directory_iterator(folder)) written.push_back(entry.path());
  for (const fs::path& path : written) {
    const fs::path kept = synced / path.filename();
    if (path.string().ends_with("-shm") || !fs::exists(kept)) {
      fs::remove(path);
    } else {
      Write(path, Mix(Read(kept), Read(path), random));
    }
  }
}

}  // namespace atalaya::crash

extern "C" int fsync(int fd) {
  static const auto real = atalaya::crash::Real("fsync");
  return atalaya::crash::SyncAndRemember(fd, real);
}
extern "C" int fdatasync(int fd) {
  static const auto real = atalaya::crash::Real("fdatasync");
  return atalaya::crash::SyncAndRemember(fd, real);
}
