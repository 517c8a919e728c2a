#include "cloud_client/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"

namespace atalaya::cloud_client {
namespace {

constexpr std::size_t kSpoolReadBytes = 16u << 10;
constexpr std::size_t kSpoolStateBytes = kSpoolFrameBytes + 1 + 8;
constexpr std::string_view kSuffix = ".spool";

// A file is never larger than one publish more than kSpoolSegmentBytes, save for its states.
constexpr std::size_t kMaxSegmentFileBytes = kMaxPublishBytes + (64u << 20);

tl::unexpected<Error> IoError(std::string_view what, std::string_view path) {
  return Fail(ErrorCode::kIo, "{}: cannot {}: {}", path, what, ErrnoText(errno));
}

std::optional<std::uint64_t> SegmentNumber(const std::filesystem::path& path) {
  const std::string stem = path.stem().string();
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  if (path.extension() != kSuffix || stem.empty() || parsed.ec != std::errc() ||
      parsed.ptr != stem.data() + stem.size()) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

Spool::Spool(SpoolOptions options, std::string client_id, UniqueFd folder)
    : options_(std::move(options)), client_id_(std::move(client_id)), folder_(std::move(folder)) {}

Spool::~Spool() = default;

Result<std::unique_ptr<Spool>> Spool::Open(const SpoolOptions& options, std::string_view client_id,
                                           std::uint64_t first_sequence) {
  const std::string& path = options.directory;
  if (mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) return IoError("make the folder", path);
  UniqueFd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return IoError("open", path);
  if (flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return IoError("lock", path);
    return Fail(ErrorCode::kBusy, "{}: another client uses this spool", path);
  }
  std::unique_ptr<Spool> spool(new Spool(options, std::string(client_id), std::move(folder)));
  if (Status recovered = spool->Recover(first_sequence); !recovered) {
    return Forward(recovered.error());
  }
  return spool;
}

Status Spool::Recover(std::uint64_t first_sequence) {
  std::map<std::uint64_t, std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(options_.directory, error), end; !error && it != end;
       it.increment(error)) {
    if (const auto number = SegmentNumber(it->path())) files[*number] = it->path().string();
  }
  if (error) return Fail(ErrorCode::kIo, "{}: {}", options_.directory, error.message());
  next_sequence_ = done_before_ = files.empty() ? first_sequence : 0;
  bool torn = false;
  for (const auto& [number, path] : files) {
    segments_.push_back({.path = path, .number = number, .first_sequence = next_sequence_});
    Result<bool> read = RecoverSegment(&segments_.back());
    if (!read) return Forward(read.error());
    torn = *read;  // Of the last one: what stands at the end of another is found by Next.
  }
  if (!segments_.empty()) done_before_ = std::max(done_before_, segments_.front().first_sequence);
  if (torn) {
    ++damaged_;
    Segment& last = segments_.back();
    if (truncate(last.path.c_str(), static_cast<off_t>(last.bytes)) != 0) {
      return IoError("cut the torn end off", last.path);
    }
    if (done_before_ == next_sequence_) done_before_ += kSkipAfterDamage;
    next_sequence_ += kSkipAfterDamage;
  }
  for (const Segment& segment : segments_) disk_bytes_ += segment.bytes;
  done_before_ = std::min(done_before_, next_sequence_);
  std::erase_if(released_, [this](std::uint64_t sequence) { return sequence < done_before_; });
  durable_sequence_ = sent_before_ = next_sequence_;
  if (segments_.empty() || torn || segments_.back().bytes == 0) {
    if (Status begun = BeginSegment(); !begun) return begun;
  } else {
    active_ = UniqueFd(open(segments_.back().path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!active_) return IoError("open", segments_.back().path);
  }
  RemoveDoneSegments();
  Rewind();
  return Sync();
}

// Takes what the file says about states and sequences. True where its end is torn.
Result<bool> Spool::RecoverSegment(Segment* segment) {
  const Result<std::string> bytes = ReadFile(segment->path, kMaxSegmentFileBytes);
  if (!bytes) return Forward(bytes.error());
  SpoolRecordReader reader(*bytes, 0);
  while (const std::optional<SpoolRecord> record = reader.Next()) {
    switch (record->type) {
      case SpoolRecordType::kHeader:
        if (record->version > kSpoolVersion) {
          return Fail(ErrorCode::kVersion, "{}: format version {} is newer than this program's {}",
                      segment->path, record->version, kSpoolVersion);
        }
        if (record->topic != client_id_) {
          return Fail(
              ErrorCode::kInvalid,
              "{}: belongs to client id \"{}\", not \"{}\"; use another folder for this one",
              options_.directory, record->topic, client_id_);
        }
        segment->first_sequence = std::max(segment->first_sequence, record->sequence);
        next_sequence_ = std::max(next_sequence_, record->sequence);
        done_before_ = std::max(done_before_, record->done_before);
        break;
      case SpoolRecordType::kPublish:
        next_sequence_ = std::max(next_sequence_, record->sequence + 1);
        break;
      case SpoolRecordType::kReleased:
        released_.insert(record->sequence);
        break;
      case SpoolRecordType::kDone:
        done_before_ = std::max(done_before_, record->sequence);
        break;
    }
  }
  segment->bytes = reader.position();
  return reader.torn();
}

// A segment is there, with its header, or it is not.
Status Spool::BeginSegment() {
  if (!segments_.empty() && active_) {
    if (Status synced = Sync(); !synced) return synced;
  }
  Segment segment;
  segment.number = segments_.empty() ? 1 : segments_.back().number + 1;
  segment.path = fmt::format("{}/{:016}{}", options_.directory, segment.number, kSuffix);
  segment.first_sequence = next_sequence_;
  SpoolRecord header;
  header.type = SpoolRecordType::kHeader;
  header.version = kSpoolVersion;
  header.sequence = next_sequence_;
  header.done_before = done_before_;
  header.topic = client_id_;
  std::string bytes;
  AppendSpoolRecord(header, 0, &bytes);
  segment.bytes = segment.header_bytes = bytes.size();
  UniqueFd file(open(segment.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!file) return IoError("make", segment.path);
  if (write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      fdatasync(file.get()) != 0 || fsync(folder_.get()) != 0) {
    const auto failed = IoError("write", segment.path);
    unlink(segment.path.c_str());
    return failed;
  }
  active_ = std::move(file);
  disk_bytes_ += segment.bytes;
  segments_.push_back(std::move(segment));
  noted_done_ = done_before_;
  return {};
}

Status Spool::RoomInSegment(std::size_t bytes) {
  const Segment& last = segments_.back();
  const std::uint64_t used = last.bytes + buffer_.size();
  if (used + bytes <= kSpoolSegmentBytes || used == last.header_bytes) return {};
  return BeginSegment();
}

Result<std::uint64_t> Spool::Append(const Client::Outgoing& packet, std::int64_t time_ms) {
  if (broken_) return Fail(ErrorCode::kIo, "{}: the disk failed", options_.directory);
  const std::size_t bytes = SpoolPublishBytes(packet.topic.size(), packet.payload.size());
  if (bytes > room_bytes()) {
    return Fail(ErrorCode::kLimit, "{}: the spool is full ({} bytes)", options_.directory,
                options_.max_bytes);
  }
  if (Status room = RoomInSegment(bytes); !room) return Forward(room.error());
  SpoolRecord record;
  record.sequence = next_sequence_;
  record.time_ms = time_ms;
  record.qos = packet.qos;
  record.retain = packet.retain;
  record.topic = packet.topic;
  record.payload = packet.payload;
  AppendSpoolRecord(record, segments_.back().bytes, &buffer_);
  dirty_ = true;
  return next_sequence_++;
}

Status Spool::WriteBuffer() {
  Segment& last = segments_.back();
  std::string_view rest = buffer_;
  std::uint64_t position = last.bytes;
  while (!rest.empty()) {
    const ssize_t wrote =
        pwrite(active_.get(), rest.data(), rest.size(), static_cast<off_t>(position));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const auto failed = IoError("write", last.path);
      // What a part of it left would end as a torn tail anyway.
      if (ftruncate(active_.get(), static_cast<off_t>(last.bytes)) != 0) broken_ = true;
      buffer_.clear();
      next_sequence_ = durable_sequence_;
      for (const std::uint64_t sequence : new_released_) released_.erase(sequence);
      new_released_.clear();
      dirty_ = false;
      return failed;
    }
    rest.remove_prefix(static_cast<std::size_t>(wrote));
    position += static_cast<std::uint64_t>(wrote);
  }
  disk_bytes_ += buffer_.size();
  last.bytes = position;
  buffer_.clear();
  if (buffer_.capacity() > kSpoolSegmentBytes) buffer_.shrink_to_fit();
  return {};
}

Status Spool::Sync() {
  if (broken_) return Fail(ErrorCode::kIo, "{}: the disk failed", options_.directory);
  if (Status written = WriteBuffer(); !written) return written;
  if (dirty_ && fdatasync(active_.get()) != 0) {
    broken_ = true;
    return IoError("sync", segments_.back().path);
  }
  dirty_ = false;
  durable_sequence_ = next_sequence_;
  new_released_.clear();
  return {};
}

void Spool::AppendState(SpoolRecordType type, std::uint64_t sequence) {
  SpoolRecord record;
  record.type = type;
  record.sequence = sequence;
  AppendSpoolRecord(record, segments_.back().bytes, &buffer_);
}

void Spool::Release(std::uint64_t sequence) {
  if (broken_ || !released_.insert(sequence).second) return;
  // A segment that cannot be made is found by Sync.
  static_cast<void>(RoomInSegment(kSpoolStateBytes));
  AppendState(SpoolRecordType::kReleased, sequence);
  new_released_.push_back(sequence);
  dirty_ = true;
}

void Spool::Done(std::uint64_t sequence) {
  if (sequence < done_before_) return;
  done_.insert(sequence);
  released_.erase(sequence);
  AdvanceDone();
}

void Spool::AdvanceDone() {
  const std::uint64_t was = done_before_;
  while (true) {
    if (done_.erase(done_before_) != 0) {
      ++done_before_;
    } else if (const auto gap = gaps_.find(done_before_); gap != gaps_.end()) {
      done_before_ = gap->second;
      gaps_.erase(gap);
    } else {
      break;
    }
  }
  if (done_before_ != was) RemoveDoneSegments();
}

void Spool::NoteDone() {
  if (broken_ || done_before_ == noted_done_ || !RoomInSegment(kSpoolStateBytes)) return;
  if (done_before_ != noted_done_) AppendState(SpoolRecordType::kDone, done_before_);
  noted_done_ = done_before_;
  static_cast<void>(WriteBuffer());  // Without it some would be sent again after a crash.
}

void Spool::RemoveDoneSegments() {
  while (segments_.size() > 1 && segments_[1].first_sequence <= done_before_) {
    unlink(segments_.front().path.c_str());  // One that stays is read, and found done, once more.
    disk_bytes_ -= std::min(disk_bytes_, segments_.front().bytes);
    segments_.pop_front();
    if (read_segment_ > 0) {
      --read_segment_;
    } else {
      read_position_ = 0;
      chunk_.clear();
    }
  }
}

void Spool::Rewind() {
  read_sequence_ = done_before_;
  read_segment_ = 0;
  while (read_segment_ + 1 < segments_.size() &&
         segments_[read_segment_ + 1].first_sequence <= done_before_) {
    ++read_segment_;
  }
  read_position_ = 0;
  chunk_.clear();
}

// Sequences up to `sequence` were left out on purpose, or lost.
void Spool::SkipTo(std::uint64_t sequence) {
  if (sequence <= read_sequence_) return;
  gaps_[read_sequence_] = sequence;
  read_sequence_ = sequence;
  AdvanceDone();
}

// More of the segment that is being read; false at its end.
Result<bool> Spool::Fill() {
  const Segment& segment = segments_[read_segment_];
  const std::uint64_t have = read_position_ + chunk_.size();
  if (have >= segment.bytes) return false;
  const auto want = static_cast<std::size_t>(
      std::min<std::uint64_t>(segment.bytes - have, std::max(kSpoolReadBytes, chunk_.size())));
  const UniqueFd file(open(segment.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return IoError("open", segment.path);
  const std::size_t before = chunk_.size();
  chunk_.resize(before + want);
  const ssize_t got = pread(file.get(), chunk_.data() + before, want, static_cast<off_t>(have));
  chunk_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0) return IoError("read", segment.path);
  return got > 0;
}

Result<std::optional<Spool::Entry>> Spool::Next() {
  while (read_segment_ < segments_.size()) {
    SpoolRecordReader reader(chunk_, read_position_);
    const std::optional<SpoolRecord> record = reader.Next();
    if (!record) {
      Result<bool> more = Fill();
      if (!more) return Forward(more.error());
      if (*more) continue;
      if (read_segment_ + 1 >= segments_.size()) return std::nullopt;
      if (!chunk_.empty()) ++damaged_;
      ++read_segment_;
      read_position_ = 0;
      chunk_.clear();
      continue;
    }
    damaged_ += reader.damaged();
    std::optional<Entry> entry = Take(*record);
    read_position_ += reader.position();
    chunk_.erase(0, reader.position());
    if (entry) return entry;
  }
  return std::nullopt;
}

// The publish of a record that is to be sent.
std::optional<Spool::Entry> Spool::Take(const SpoolRecord& record) {
  if (record.type == SpoolRecordType::kHeader) SkipTo(record.sequence);
  if (record.type != SpoolRecordType::kPublish || record.sequence < read_sequence_) return {};
  SkipTo(record.sequence);
  ++read_sequence_;
  if (record.sequence < done_before_ || done_.contains(record.sequence)) return {};
  Entry entry;
  entry.sequence = record.sequence;
  entry.time_ms = record.time_ms;
  entry.packet.topic = record.topic;
  entry.packet.payload = record.payload;
  entry.packet.qos = record.qos;
  entry.packet.retain = record.retain;
  entry.released = released_.contains(record.sequence);
  entry.sent_before = record.sequence < sent_before_;
  sent_before_ = std::max(sent_before_, record.sequence + 1);
  return entry;
}

std::uint64_t Spool::pending() const { return next_sequence_ - done_before_ - done_.size(); }

std::uint64_t Spool::room_bytes() const {
  return options_.max_bytes - std::min(options_.max_bytes, disk_bytes());
}

}  // namespace atalaya::cloud_client
