#pragma once

#include <filesystem>
#include <functional>
#include <random>
#include <string>

namespace atalaya::crash {

// Called as a sync of the file `name` begins; what it returns is called once that has ended well.
// Threads: those that sync, one at a time.
using SyncHook = std::function<std::function<void()>(const std::string& name)>;

// A disk that keeps only what was synced. A program that links this has fsync and fdatasync
// replaced: `synced` begins as a copy of `folder`; from then on each sync of one of its files also
// keeps there what the file held as the sync began, and a sync of the folder itself forgets files
// that are gone from it. Once per process.
void RememberSyncs(const std::filesystem::path& folder, const std::filesystem::path& synced,
                   SyncHook on_sync);

// After the program's end: leaves in `folder` what a power failure would have, which is what was
// synced and some sectors, chosen at random, of what was written since. SQLite's index of the log
// (-shm) lives in memory and is gone.
void FailPower(const std::filesystem::path& folder, const std::filesystem::path& synced,
               std::mt19937& random);

}  // namespace atalaya::crash
