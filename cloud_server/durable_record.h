#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// What the server keeps in its journal: one struct for each kind of record. Numbers are written as
// varints, strings with their length before them. A kind and the order of its fields never change;
// new ones are appended to RecordKind. Text is valid as long as the bytes it was read from.
namespace atalaya::cloud_server {

enum class RecordKind : std::uint8_t {
  kSessionOpened = 1,
  kSessionClosed = 2,
  kSessionEnded = 3,
  kSubscribed = 4,
  kUnsubscribed = 5,
  kPublished = 6,
  kSent = 7,
  kReleased = 8,
  kCompleted = 9,
  kRemoved = 10,
  kIncomingBegan = 11,
  kIncomingEnded = 12,
  kClock = 13,
  kCompactionBegan = 14,
  kSessionImage = 15,
  kBody = 16,
  kRetainedImage = 17,
  kCompactionEnded = 18,
};

// Appends fields to a record.
class RecordWriter {
 public:
  explicit RecordWriter(std::string* out) : out_(out) {}

  template <typename T>
  requires std::is_unsigned_v<T>
  void operator()(const T& value) { Varint(value); }
  void operator()(std::string_view text) {
    Varint(text.size());
    out_->append(text);
  }
  template <typename T>
  void operator()(const std::vector<T>& values) {
    Varint(values.size());
    for (const T& value : values) {
      if constexpr (std::is_unsigned_v<T> || std::is_same_v<T, std::string_view>) {
        (*this)(value);
      } else {
        const_cast<T&>(value).Describe(*this);
      }
    }
  }

 private:
  void Varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_->push_back(static_cast<char>(value | 0x80));
    out_->push_back(static_cast<char>(value));
  }
  std::string* out_;
};

// Takes fields off a record; after the first that is not there or out of range, ok() is false and
// everything else reads as nothing.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  requires std::is_unsigned_v<T>
  void operator()(T& value) {
    const std::uint64_t wide = Varint();
    value = static_cast<T>(wide);
    if (static_cast<std::uint64_t>(value) != wide) Fail();
  }
  void operator()(std::string_view& text) {
    const std::uint64_t bytes = Varint();
    if (bytes > rest_.size()) return Fail();
    text = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
  }
  template <typename T>
  void operator()(std::vector<T>& values) {
    const std::uint64_t count = Varint();
    if (count > rest_.size()) return Fail();  // Each takes a byte at least.
    for (std::uint64_t i = 0; i < count && ok_; ++i) {
      T& value = values.emplace_back();
      if constexpr (std::is_unsigned_v<T> || std::is_same_v<T, std::string_view>) {
        (*this)(value);
      } else {
        value.Describe(*this);
      }
    }
  }
  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::uint64_t Varint();
  void Fail() {
    ok_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

// A message as it was published. `flags`: QoS, and kRetainBit.
struct MessageFields {
  static constexpr std::uint8_t kRetainBit = 4;
  std::string_view topic;
  std::string_view properties;  // Those that are passed on, on the wire.
  std::string_view payload;
  std::uint8_t flags = 0;
  std::uint64_t expires_ms = 0;  // UTC; 0: never.
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(topic), archive(properties), archive(payload), archive(flags), archive(expires_ms);
  }
};

struct SubscriptionFields {
  static constexpr std::uint8_t kNoLocalBit = 4;
  static constexpr std::uint8_t kRetainAsPublishedBit = 8;
  std::string_view filter;
  std::uint8_t options = 0;  // QoS, and the bits above.
  std::uint32_t id = 0;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(filter), archive(options), archive(id);
  }
};

// One session that a message goes to. `flags` as in MessageFields.
struct TargetFields {
  std::uint64_t session = 0;
  std::uint8_t flags = 0;
  std::vector<std::uint32_t> subscription_ids;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(session), archive(flags), archive(subscription_ids);
  }
};

// A client has connected: its session is made (an id never seen before) or resumed.
struct SessionOpened {
  static constexpr RecordKind kKind = RecordKind::kSessionOpened;
  std::uint64_t session = 0;
  std::string_view client_id;
  std::uint32_t expiry_s = 0;
  std::vector<MessageFields> will;  // None or one; its properties are all that CONNECT gave.
  std::uint32_t will_delay_s = 0;
  std::string_view user;  // Empty: anonymous.
  std::uint8_t by_certificate = 0;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(session), archive(client_id), archive(expiry_s), archive(will), archive(will_delay_s);
    archive(user), archive(by_certificate);
  }
};

struct SessionClosed {
  static constexpr RecordKind kKind = RecordKind::kSessionClosed;
  std::uint64_t session = 0;
  std::uint32_t expiry_s = 0;
  std::uint64_t closed_ms = 0;    // UTC.
  std::uint64_t will_due_ms = 0;  // UTC; 0: there is no will any more.
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(session), archive(expiry_s), archive(closed_ms), archive(will_due_ms);
  }
};

struct SessionEnded {
  static constexpr RecordKind kKind = RecordKind::kSessionEnded;
  std::uint64_t session = 0;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(session);
  }
};

struct Subscribed {
  static constexpr RecordKind kKind = RecordKind::kSubscribed;
  std::uint64_t session = 0;
  std::vector<SubscriptionFields> subscriptions;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(session), archive(subscriptions);
  }
};

struct Unsubscribed {
  static constexpr RecordKind kKind = RecordKind::kUnsubscribed;
  std::uint64_t session = 0;
  std::vector<std::string_view> filters;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(session), archive(filters);
  }
};

// A publish and all its sessions, so that either all of them have it or none. Where it is a QoS 2
// publish or the will of a session that is kept, the same record says that.
struct Published {
  static constexpr RecordKind kKind = RecordKind::kPublished;
  std::uint64_t message = 0;  // Its id.
  MessageFields fields;
  std::uint64_t from = 0;         // The publisher's session, or 0.
  std::uint16_t incoming_id = 0;  // Its packet id at QoS 2.
  std::uint8_t is_will = 0;       // It is the will of `from`.
  std::uint64_t retained_order =
      0;  // Not 0: it is retained, or clears its topic; the highest wins.
  // Not 0: it was passed on from this session, which had it as `taken_message`.
  std::uint64_t taken_from = 0;
  std::uint64_t taken_message = 0;
  std::vector<TargetFields> targets;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(message), fields.Describe(archive), archive(from), archive(incoming_id);
    archive(is_will), archive(retained_order), archive(taken_from), archive(taken_message);
    archive(targets);
  }
};

// A QoS 2 message is about to leave for the first time under this packet id.
struct Sent {
  static constexpr RecordKind kKind = RecordKind::kSent;
  std::uint64_t session = 0;
  std::uint64_t message = 0;
  std::uint16_t packet_id = 0;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(session), archive(message), archive(packet_id);
  }
};

// One packet id of one session: a PUBREC has come (kReleased); the exchange is over (kCompleted);
// an incoming QoS 2 id is in use (kIncomingBegan), or free again (kIncomingEnded).
template <RecordKind kRecordKind>
struct PacketIdRecord {
  static constexpr RecordKind kKind = kRecordKind;
  std::uint64_t session = 0;
  std::uint16_t packet_id = 0;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(session), archive(packet_id);
  }
};
using Released = PacketIdRecord<RecordKind::kReleased>;
using Completed = PacketIdRecord<RecordKind::kCompleted>;
using IncomingBegan = PacketIdRecord<RecordKind::kIncomingBegan>;
using IncomingEnded = PacketIdRecord<RecordKind::kIncomingEnded>;

// A session has no use for a message any more: acknowledged at QoS 1, dropped, or expired.
struct Removed {
  static constexpr RecordKind kKind = RecordKind::kRemoved;
  std::uint64_t session = 0;
  std::uint64_t message = 0;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(session), archive(message);
  }
};

// The server was alive then.
struct ClockRecord {
  static constexpr RecordKind kKind = RecordKind::kClock;
  std::uint64_t now_ms = 0;  // UTC.
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(now_ms);
  }
};

struct CompactionBegan {
  static constexpr RecordKind kKind = RecordKind::kCompactionBegan;
  std::uint64_t next_id = 0;  // Above every id of a session or message given so far.
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(next_id);
  }
};

struct CompactionEnded {
  static constexpr RecordKind kKind = RecordKind::kCompactionEnded;
  std::uint64_t next_id = 0;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(next_id);
  }
};

// A message that a session image names.
struct Body {
  static constexpr RecordKind kKind = RecordKind::kBody;
  std::uint64_t message = 0;
  MessageFields fields;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(message), fields.Describe(archive);
  }
};

// One message on its way to a session. `flags` as in MessageFields, and the bits below.
struct DeliveryFields {
  static constexpr std::uint8_t kReleasedBit = 8;
  static constexpr std::uint8_t kMaybeSentBit = 16;
  std::uint64_t message = 0;
  std::uint8_t flags = 0;
  std::uint16_t packet_id = 0;  // At QoS 2, once it was sent; else 0.
  std::vector<std::uint32_t> subscription_ids;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(message), archive(flags), archive(packet_id), archive(subscription_ids);
  }
};

// All of a session, in place of what was known of it. Only messages whose records are newer than
// the beginning of the compaction and that are on their way from another loop are not in it.
struct SessionImage {
  static constexpr RecordKind kKind = RecordKind::kSessionImage;
  SessionOpened opened;
  std::uint8_t is_connected = 0;
  SessionClosed closed;  // Where it is not connected.
  std::vector<SubscriptionFields> subscriptions;
  std::vector<std::uint16_t> incoming;
  std::vector<DeliveryFields> deliveries;  // In flight first, then those that wait, in order.
  template <typename Archive>
  void Describe(Archive& archive) {
    opened.Describe(archive), archive(is_connected), closed.Describe(archive);
    archive(subscriptions), archive(incoming), archive(deliveries);
  }
};

struct RetainedImage {
  static constexpr RecordKind kKind = RecordKind::kRetainedImage;
  std::uint64_t order = 0;  // As Published::retained_order.
  MessageFields fields;
  template <typename Archive>
  void Describe(Archive& archive) {
    archive(order), fields.Describe(archive);
  }
};

template <typename Record>
void WriteRecord(const Record& record, std::string* out) {
  out->push_back(static_cast<char>(Record::kKind));
  RecordWriter writer(out);
  const_cast<Record&>(record).Describe(writer);
}

// The fields of a record behind its first byte, its kind. False where they are not of that kind.
template <typename Record>
bool ReadFields(std::string_view fields, Record* record) {
  RecordReader reader(fields);
  record->Describe(reader);
  return reader.ok();
}

}  // namespace atalaya::cloud_server
