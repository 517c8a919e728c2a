#include "base/journal_reader.h"

#include <algorithm>
#include <limits>

#include "base/journal_format.h"
#include "base/log.h"

namespace atalaya {
namespace {

namespace format = journal_format;

constexpr std::uint64_t kMaxSegmentBytes = 1u << 30;

class Reader {
 public:
  Reader(JournalFiles& files, const std::filesystem::path& folder, const JournalVisitor& visit)
      : files_(files), folder_(folder), visit_(visit) {}

  Result<JournalContents> Run() {
    if (Status listed = ListSegments(); !listed) return Forward(listed.error());
    for (std::size_t i = 0; i < contents_.segments.size(); ++i) {
      if (Status read = ReadSegment(i); !read) return Forward(read.error());
    }
    return contents_;
  }

 private:
  // All names and headers come first: a newer version must be refused before anything is touched,
  // and a segment whose header is damaged needs the salt of another one.
  Status ListSegments() {
    const Result<std::vector<std::string>> names = files_.List(folder_);
    if (!names) return Forward(names.error());
    for (const std::string& name : *names) {
      const std::optional<JournalPosition> base = format::BaseOfName(name);
      if (!base) continue;
      const Result<std::string> start = Load(*base, format::kSegmentHeaderBytes);
      if (!start) return Forward(start.error());
      const std::optional<format::SegmentHeader> header = format::DecodeSegmentHeader(*start);
      if (header && header->version != format::kVersion) {
        return Fail(ErrorCode::kVersion,
                    "{}: written in version {} of the format by a newer program; this one reads "
                    "version {}",
                    (folder_ / name).string(), header->version, format::kVersion);
      }
      if (header && header->base == *base) contents_.salt = header->salt;
      contents_.segments.push_back(*base);
    }
    std::sort(contents_.segments.begin(), contents_.segments.end());
    return {};
  }

  Result<std::string> Load(JournalPosition base, std::uint64_t limit) {
    Result<std::unique_ptr<JournalFile>> file = files_.Open(folder_ / format::SegmentName(base));
    if (!file) return Forward(file.error());
    return (*file)->ReadAll(limit);
  }

  Status ReadSegment(std::size_t index) {
    const JournalPosition base = contents_.segments[index];
    Result<std::string> loaded = Load(base, kMaxSegmentBytes);
    if (!loaded) return Forward(loaded.error());
    bytes_ = *loaded;
    is_last_ = index + 1 == contents_.segments.size();
    below_ = is_last_ ? std::numeric_limits<JournalPosition>::max() : contents_.segments[index + 1];
    if (index == 0) contents_.next = base;
    const std::uint64_t lost_before = contents_.report.lost_records;
    contents_.report.lost_records += base - contents_.next;  // A whole segment is missing.
    contents_.next = base;
    ReadRecords();
    const std::uint64_t lost = contents_.report.lost_records - lost_before;
    if (lost > 0) KeepDamaged(base, lost);
    return {};
  }

  std::optional<format::RecordView> At(std::size_t offset) const {
    return format::ReadRecord(bytes_, offset, contents_.next, below_, contents_.salt);
  }

  void ReadRecords() {
    std::size_t offset = format::kSegmentHeaderBytes;
    while (contents_.next < below_) {
      const std::optional<format::RecordView> record = At(offset);
      if (record) {
        Take(*record);
        offset += record->bytes;
        continue;
      }
      const std::optional<std::size_t> resumed = FindNext(offset);
      if (!resumed) break;
      offset = *resumed;
    }
    // A segment is only begun when all before it is durable.
    if (!is_last_) contents_.report.lost_records += below_ - contents_.next;
    if (!is_last_) contents_.next = below_;
  }

  void Take(const format::RecordView& record) {
    contents_.report.lost_records += record.position - contents_.next;
    contents_.next = record.position;
    if (record.is_mark) return;
    ++contents_.next;
    ++contents_.report.records;
    visit_(record.position, record.payload);
  }

  // The next valid record from `offset` on, if what is missing before it was lost to damage. In the
  // last segment it may as well be a tail that never became durable as a whole: there only a mark
  // tells, written when the missing record was durable already; without one the tail is cut.
  std::optional<std::size_t> FindNext(std::size_t offset) {
    std::optional<std::size_t> first;
    std::uint64_t cut_records = 0;
    for (std::size_t at = offset; at + format::kRecordHeaderBytes <= bytes_.size();) {
      const std::optional<format::RecordView> record = At(at);
      if (!record) {
        ++at;
        continue;
      }
      if (!first) first = at;
      const bool nothing_missing = record->position == contents_.next && first == at;
      const bool was_durable = record->is_mark && record->durable >= contents_.next;
      if (!is_last_ || nothing_missing || was_durable) return first;
      cut_records += record->is_mark ? 0 : 1;
      at += record->bytes;
    }
    contents_.report.cut_records += cut_records;
    return std::nullopt;
  }

  void KeepDamaged(JournalPosition base, std::uint64_t lost) {
    ++contents_.report.damaged_segments;
    const std::string name = format::SegmentName(base);
    const std::filesystem::path aside = folder_ / (std::string(format::kDamagedPrefix) + name);
    LogError("{}: damaged: {} records are lost, reading went on behind them; a copy is in {}",
             (folder_ / name).string(), lost, aside.string());
    Result<std::unique_ptr<JournalFile>> file = files_.Open(aside);
    const Status copied = !file ? Status(Forward(file.error())) : (*file)->Write(bytes_, 0);
    if (!copied) LogError("{}", copied.error().message);
  }

  JournalFiles& files_;
  const std::filesystem::path& folder_;
  const JournalVisitor& visit_;
  JournalContents contents_;
  std::string bytes_;
  JournalPosition below_ = 0;
  bool is_last_ = false;
};

}  // namespace

Result<JournalContents> ReadJournal(JournalFiles& files, const std::filesystem::path& folder,
                                    const JournalVisitor& visit) {
  return Reader(files, folder, visit).Run();
}

}  // namespace atalaya
