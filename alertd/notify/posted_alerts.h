#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "alertd/alert.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

// The table of posted alerts in state.db, as one migration (base/sqlite.h).
extern const std::string_view kPostedAlertsMigration1;

inline constexpr std::size_t kMaxPostedAlerts = 10'000;
inline constexpr std::size_t kMaxPostedBytes = 16'384;  // Labels and annotations of one.
// Longer than a group_interval: until then the notice of an end says how it ended.
inline constexpr std::int64_t kEndedPostedKeptMs = std::int64_t{15} * 60 * 1000;

// An alert that another program watches over and tells of from time to time.
struct PostedAlert {
  telemetry::Labels labels;
  std::map<std::string, std::string> annotations;
  std::int64_t starts_ms = 0;
  std::int64_t ends_ms = 0;  // From then on it is resolved, unless it is posted again.
  bool by_timeout = false;   // `ends_ms` was not given, but is the time by which to hear again.
  std::string generator_url;
};

struct PostedFigures {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::size_t firing = 0;  // A gauge.
};

// The alerts that others posted. What Post takes is on stable storage when it returns.
// Threads: any; only Post waits for the disk.
// Source: Alertmanager's API v2, alerts, and how its alert provider merges them.
class PostedAlerts {
 public:
  // `database` is a connection of its own to state.db. kIo where it cannot be read.
  static Result<std::unique_ptr<PostedAlerts>> Open(SqliteDatabase database, const Clock& clock);

  // Takes those that are good. An alert that fires still keeps its beginning; the latest end
  // counts, but one by timeout never outdoes a given one that has passed. kInvalid with what is
  // wrong of each that was not taken, kLimit where some would be more than kMaxPostedAlerts.
  Status Post(std::vector<PostedAlert> alerts);

  // Counts what could not be read, so that it never came to Post.
  void CountRefused(std::size_t count) { refused_ += count; }

  // Adds those that fire at `now_ms` to `firing`, and those that ended to `ended`.
  void AddTo(AlertsNow& alerts, std::int64_t now_ms) const;

  // Whether any was posted, or ended, since the last call, or may have (the first one). One caller.
  bool TakeChanged();

  // When the next one ends if nothing is posted.
  std::optional<std::int64_t> NextEndMs() const;

  PostedFigures Figures() const;

 private:
  PostedAlerts(SqliteDatabase database, const Clock& clock)
      : database_(std::move(database)), clock_(clock) {}
  Status Load();
  PostedAlert Merge(PostedAlert alert, std::int64_t now_ms) const;
  Status Save(const PostedAlert& alert);
  Status Prune(std::int64_t now_ms);

  std::mutex write_mutex_;  // Around `database_`, and from reading `alerts_` to changing it.
  SqliteDatabase database_;
  const Clock& clock_;
  mutable std::mutex mutex_;                     // Around what follows.
  std::map<std::uint64_t, PostedAlert> alerts_;  // By fingerprint.
  std::uint64_t revision_ = 1;                   // Of `alerts_`.
  std::uint64_t seen_revision_ = 0;              // Of TakeChanged: what it saw the last time,
  std::int64_t seen_ms_ = 0;                     // and when.
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace atalaya::alertd
