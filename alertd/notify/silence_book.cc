#include "alertd/notify/silence_book.h"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace atalaya::alertd {

const std::string_view kSilencesMigration1 = R"sql(
CREATE TABLE silence (
  id TEXT PRIMARY KEY,
  matchers TEXT NOT NULL,
  starts_ms INTEGER NOT NULL,
  ends_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  comment TEXT NOT NULL
) WITHOUT ROWID;
)sql";

namespace {

// RFC 9562, version 4.
std::string NewId() {
  std::array<unsigned char, 16> bits;
  ATALAYA_CHECK(getrandom(bits.data(), bits.size(), 0) == static_cast<ssize_t>(bits.size()));
  bits[6] = static_cast<unsigned char>((bits[6] & 0x0f) | 0x40);
  bits[8] = static_cast<unsigned char>((bits[8] & 0x3f) | 0x80);
  std::string id;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += fmt::format("{:02x}", bits[i]);
  }
  return id;
}

// Whether `changed` may take the place of `known` under its id.
bool MayReplace(const Silence& known, const Silence& changed, std::int64_t now_ms) {
  if (known.matchers != changed.matchers) return false;
  switch (StateOf(known, now_ms)) {
    case SilenceState::kPending:
      return true;
    case SilenceState::kActive:
      return known.starts_ms == changed.starts_ms;
    case SilenceState::kExpired:
      return false;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<SilenceBook>> SilenceBook::Open(SqliteDatabase database,
                                                       const Clock& clock) {
  std::unique_ptr<SilenceBook> book(new SilenceBook(std::move(database), clock));
  if (Status loaded = book->Load(); !loaded) return Forward(loaded.error());
  return book;
}

Status SilenceBook::Load() {
  Result<SqliteStatement> prune = database_.Prepare("DELETE FROM silence WHERE ends_ms < ?1");
  if (!prune) return Forward(prune.error());
  if (Status pruned = prune->Bind(1, clock_.NowMs() - kExpiredSilenceKeptMs).Run(); !pruned)
    return pruned;
  Result<SqliteStatement> select = database_.Prepare(
      "SELECT id, matchers, starts_ms, ends_ms, updated_ms, created_by, comment FROM silence "
      "ORDER BY updated_ms");
  if (!select) return Forward(select.error());
  auto entries = std::make_shared<Entries>();
  while (true) {
    const Result<bool> more = select->Step();
    if (!more) return Forward(more.error());
    if (!*more) break;
    Result<std::vector<telemetry::Matcher>> matchers = DecodeMatchers(select->Text(1));
    if (!matchers) return Forward(matchers.error());
    entries->push_back({{select->Text(0), *matchers, select->Integer(2), select->Integer(3),
                         select->Integer(4), select->Text(5), select->Text(6)},
                        Matchers(*matchers)});
  }
  const std::lock_guard lock(mutex_);
  entries_ = std::move(entries);
  return {};
}

// Stores `silence`, and lets it stand in `entries_`.
Status SilenceBook::Save(const Silence& silence) {
  Result<SqliteStatement> insert = database_.Prepare(
      "INSERT OR REPLACE INTO silence (id, matchers, starts_ms, ends_ms, updated_ms, created_by, "
      "comment) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  if (!insert) return Forward(insert.error());
  const std::string matchers = EncodeMatchers(silence.matchers);
  const Status stored = insert->Bind(1, std::string_view(silence.id))
                            .Bind(2, std::string_view(matchers))
                            .Bind(3, silence.starts_ms)
                            .Bind(4, silence.ends_ms)
                            .Bind(5, silence.updated_ms)
                            .Bind(6, std::string_view(silence.created_by))
                            .Bind(7, std::string_view(silence.comment))
                            .Run();
  if (!stored) return stored;
  const std::int64_t forget_before_ms = clock_.NowMs() - kExpiredSilenceKeptMs;
  auto entries = std::make_shared<Entries>(*Current());
  std::erase_if(*entries, [&](const Entry& entry) {
    return entry.silence.id == silence.id || entry.silence.ends_ms < forget_before_ms;
  });
  entries->push_back({silence, Matchers(silence.matchers)});
  const std::lock_guard lock(mutex_);
  entries_ = std::move(entries);
  ++revision_;
  return {};
}

Result<std::string> SilenceBook::Set(Silence silence) {
  const std::lock_guard lock(write_mutex_);
  const std::int64_t now_ms = clock_.NowMs();
  std::optional<Silence> known;
  if (!silence.id.empty()) {
    known = Find(silence.id);
    if (!known) return Fail(ErrorCode::kNotFound, "no silence {}", silence.id);
  }
  const bool replace = known && MayReplace(*known, silence, now_ms);
  if (!replace || known->starts_ms != silence.starts_ms)
    silence.starts_ms = std::max(silence.starts_ms, now_ms);
  if (Status checked = CheckSilence(silence, now_ms); !checked) return Forward(checked.error());
  if (!replace) {
    if (Current()->size() >= kMaxSilences)
      return Fail(ErrorCode::kLimit, "there are {} silences; expire some", kMaxSilences);
    if (known && StateOf(*known, now_ms) != SilenceState::kExpired) {
      known->ends_ms = now_ms;
      known->starts_ms = std::min(known->starts_ms, now_ms);
      known->updated_ms = now_ms;
      if (Status saved = Save(*known); !saved) return Forward(saved.error());
    }
    silence.id = NewId();
  }
  silence.updated_ms = now_ms;
  if (Status saved = Save(silence); !saved) return Forward(saved.error());
  return silence.id;
}

Status SilenceBook::Expire(const std::string& id) {
  const std::lock_guard lock(write_mutex_);
  const std::int64_t now_ms = clock_.NowMs();
  std::optional<Silence> known = Find(id);
  if (!known) return Fail(ErrorCode::kNotFound, "no silence {}", id);
  if (StateOf(*known, now_ms) == SilenceState::kExpired)
    return Fail(ErrorCode::kInvalid, "silence {} has expired already", id);
  known->starts_ms = std::min(known->starts_ms, now_ms);
  known->ends_ms = now_ms;
  known->updated_ms = now_ms;
  return Save(*known);
}

std::vector<Silence> SilenceBook::List() const {
  std::vector<Silence> silences;
  for (const Entry& entry : *Current()) silences.push_back(entry.silence);
  return silences;
}

std::optional<Silence> SilenceBook::Find(const std::string& id) const {
  for (const Entry& entry : *Current()) {
    if (entry.silence.id == id) return entry.silence;
  }
  return std::nullopt;
}

std::vector<std::string> SilenceBook::Covering(const telemetry::Labels& labels) const {
  const std::int64_t now_ms = clock_.NowMs();
  std::vector<std::string> ids;
  for (const Entry& entry : *Current()) {
    if (StateOf(entry.silence, now_ms) != SilenceState::kActive) continue;
    if (entry.matchers.Hold(labels)) ids.push_back(entry.silence.id);
  }
  return ids;
}

bool SilenceBook::TakeChanged() {
  std::shared_ptr<const Entries> entries;
  std::uint64_t revision = 0;
  {
    const std::lock_guard lock(mutex_);
    entries = entries_;
    revision = revision_;
  }
  const std::int64_t now_ms = clock_.NowMs();
  const std::int64_t since_ms = std::exchange(seen_ms_, now_ms);
  // A clock that was set back may have ended none and begun many; to ask costs little.
  if (std::exchange(seen_revision_, revision) != revision || now_ms < since_ms) return true;
  return std::any_of(entries->begin(), entries->end(), [&](const Entry& entry) {
    return entry.silence.ends_ms > since_ms && entry.silence.ends_ms <= now_ms;
  });
}

std::shared_ptr<const SilenceBook::Entries> SilenceBook::Current() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

}  // namespace atalaya::alertd
