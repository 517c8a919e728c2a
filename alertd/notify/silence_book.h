#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "alertd/notify/matcher.h"
#include "alertd/notify/silence.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

// The table of silences in state.db, as one migration (base/sqlite.h).
extern const std::string_view kSilencesMigration1;

inline constexpr std::size_t kMaxSilences = 10'000;
inline constexpr std::int64_t kExpiredSilenceKeptMs = std::int64_t{5} * 24 * 3600 * 1000;

// Every silence there is; those that ended stay for kExpiredSilenceKeptMs. What Set and Expire say
// is on stable storage when they return.
// Threads: any. Covering and List never wait for the disk.
// Source: Alertmanager's API v2, silences.
class SilenceBook {
 public:
  // `database` is a connection of the book's own to state.db. kIo where it cannot be read.
  static Result<std::unique_ptr<SilenceBook>> Open(SqliteDatabase database, const Clock& clock);

  // Makes a silence, or changes the one named by `id`; returns the id. A start in the past becomes
  // now. Of one that is active only the end, the author and the comment may change: with other
  // matchers, or another start, it ends and a new one takes its place, as for one that has expired.
  // kNotFound for an unknown id, kInvalid by CheckSilence, kLimit beyond kMaxSilences.
  Result<std::string> Set(Silence silence);

  // Ends it now. kNotFound; kInvalid where it has ended already.
  Status Expire(const std::string& id);

  std::vector<Silence> List() const;
  std::optional<Silence> Find(const std::string& id) const;

  // The ids of the active silences that cover an alert with `labels`.
  std::vector<std::string> Covering(const telemetry::Labels& labels) const;

  // Whether any silence ended or was changed since the last call, or may have been (the first one).
  // One caller.
  bool TakeChanged();

 private:
  struct Entry {
    Silence silence;
    Matchers matchers;
  };
  using Entries = std::vector<Entry>;  // The newest last.

  SilenceBook(SqliteDatabase database, const Clock& clock)
      : database_(std::move(database)), clock_(clock) {}
  Status Load();
  Status Save(const Silence& silence);
  std::shared_ptr<const Entries> Current() const;

  std::mutex write_mutex_;  // Around `database_`, and from reading `entries_` to replacing them.
  SqliteDatabase database_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // Around the next two.
  std::shared_ptr<const Entries> entries_ = std::make_shared<const Entries>();
  std::uint64_t revision_ = 1;  // Of `entries_`.
  // Of TakeChanged: what it saw the last time, and when.
  std::uint64_t seen_revision_ = 0;
  std::int64_t seen_ms_ = 0;
};

}  // namespace atalaya::alertd
