#include "history/columns.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "history/bits.h"
#include "history/chunk.h"
#include "history/varint.h"
#include "history/xor_stream.h"

namespace atalaya::history {
namespace {

enum Mode : unsigned char { kEqual, kXor, kChange, kChangeOfChange };

constexpr unsigned char kRegular = 255;
constexpr int kMaxOrder = 40;  // Of the codes.
constexpr int kMaxPlaces = 12;
constexpr double kMaxWhole = 4503599627370496.0;  // 2^52: such a number and its changes are exact.

constexpr std::array<double, kMaxPlaces + 1> kPowers = {1,   1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                                        1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

std::uint64_t Bits(double value) { return std::bit_cast<std::uint64_t>(value); }

// The order that packs `codes` best, near enough: costs are taken until they rise.
int BestOrder(std::span<const std::uint64_t> codes) {
  std::uint64_t all = 0;
  for (const std::uint64_t code : codes) all |= code;
  const int highest = std::min(static_cast<int>(std::bit_width(all)), kMaxOrder);
  int best = 0;
  std::uint64_t least = ~std::uint64_t{0};
  for (int k = 0; k <= highest; ++k) {
    std::uint64_t cost = 0;
    for (const std::uint64_t code : codes) cost += static_cast<unsigned>(GolombBits(code, k));
    if (cost < least) {
      least = cost;
      best = k;
    } else if (k > best + 2) {
      break;  // The cost has one valley.
    }
  }
  return best;
}

void WriteCodes(std::span<const std::uint64_t> codes, int k, std::string& out) {
  out += static_cast<char>(k);
  BitWriter writer(out);
  for (const std::uint64_t code : codes) writer.WriteGolomb(code, k);
  writer.Finish();
}

std::optional<unsigned char> TakeByte(std::string_view& in) {
  if (in.empty()) return std::nullopt;
  const auto byte = static_cast<unsigned char>(in.front());
  in.remove_prefix(1);
  return byte;
}

// `value` as a whole number of 10^-places, where that gives back every bit.
bool ToWhole(double value, int places, std::int64_t& whole) {
  const double power = kPowers[static_cast<std::size_t>(places)];
  const double scaled = value * power;
  if (!(std::fabs(scaled) < kMaxWhole)) return false;
  whole = static_cast<std::int64_t>(std::nearbyint(scaled));
  return Bits(static_cast<double>(whole) / power) == Bits(value);
}

// How many decimal places the values have, if whole numbers can stand for them all.
std::optional<int> DecimalPlaces(std::span<const double> values) {
  int places = 0;
  std::int64_t whole = 0;
  for (const double value : values) {
    while (!ToWhole(value, places, whole)) {
      if (++places > kMaxPlaces) return std::nullopt;
    }
  }
  // More places may have pushed an earlier value over the edge.
  const bool good = std::all_of(values.begin(), values.end(),
                                [&](double value) { return ToWhole(value, places, whole); });
  return good ? std::optional(places) : std::nullopt;
}

std::uint64_t Cost(std::span<const std::uint64_t> codes) {
  std::uint64_t cost = 0;
  for (const std::uint64_t code : codes) cost += static_cast<unsigned>(std::bit_width(code));
  return cost;
}

void EncodeWhole(std::span<const double> values, int places, std::string& out) {
  thread_local std::vector<std::uint64_t> changes;
  thread_local std::vector<std::uint64_t> second;
  changes.clear();
  second.clear();
  std::int64_t first = 0;
  ToWhole(values[0], places, first);
  std::int64_t before = first;
  std::int64_t change_before = 0;
  for (const double value : values.subspan(1)) {
    std::int64_t whole = 0;
    ToWhole(value, places, whole);
    const std::int64_t change = whole - before;
    changes.push_back(ZigZag(change));
    second.push_back(ZigZag(change - change_before));
    change_before = change;
    before = whole;
  }
  const bool steady = Cost(second) < Cost(changes);
  const auto& codes = steady ? second : changes;
  out += static_cast<char>(steady ? kChangeOfChange : kChange);
  out += static_cast<char>(places);
  PutVarint(out, ZigZag(first));
  WriteCodes(codes, BestOrder(codes), out);
}

void EncodeXor(std::span<const double> values, std::string& out) {
  out += static_cast<char>(kXor);
  std::uint64_t before = Bits(values[0]);
  PutVarint(out, __builtin_bswap64(before));
  BitWriter writer(out);
  XorWindow window;
  for (const double value : values.subspan(1)) {
    window.Write(writer, before ^ Bits(value));
    before = Bits(value);
  }
  writer.Finish();
}

bool DecodeXor(std::string_view& in, std::size_t count, double* out) {
  const auto first = TakeVarint(in);
  if (!first) return false;
  std::uint64_t value = __builtin_bswap64(*first);
  out[0] = std::bit_cast<double>(value);
  BitReader reader(in);
  XorWindow window;
  for (std::size_t i = 1; i < count; ++i) {
    std::uint64_t change = 0;
    if (!window.Read(reader, change)) return false;
    value ^= change;
    out[i] = std::bit_cast<double>(value);
  }
  if (reader.failed()) return false;
  in.remove_prefix(reader.bytes());
  return true;
}

bool DecodeWhole(std::string_view& in, std::size_t count, bool steady, double* out) {
  const auto places = TakeByte(in);
  const auto first = TakeVarint(in);
  const auto k = TakeByte(in);
  if (!places || *places > kMaxPlaces || !first || !k || *k > kMaxOrder) return false;
  const double power = kPowers[*places];
  // Unsigned, because hostile bytes may overflow.
  auto whole = static_cast<std::uint64_t>(UnZigZag(*first));
  std::uint64_t change = 0;
  out[0] = static_cast<double>(static_cast<std::int64_t>(whole)) / power;
  BitReader reader(in);
  for (std::size_t i = 1; i < count; ++i) {
    const auto code = static_cast<std::uint64_t>(UnZigZag(reader.ReadGolomb(*k)));
    change = steady ? change + code : code;
    whole += change;
    out[i] = static_cast<double>(static_cast<std::int64_t>(whole)) / power;
  }
  if (reader.failed()) return false;
  in.remove_prefix(reader.bytes());
  return true;
}

}  // namespace

void EncodeTimes(std::span<const std::int64_t> times, std::string& out) {
  PutVarint(out, static_cast<std::uint64_t>(times[0]));
  if (times.size() == 1) return;
  std::int64_t distance = times[1] - times[0];
  PutVarint(out, static_cast<std::uint64_t>(distance));
  thread_local std::vector<std::uint64_t> codes;
  codes.clear();
  for (std::size_t i = 2; i < times.size(); ++i) {
    const std::int64_t next = times[i] - times[i - 1];
    codes.push_back(ZigZag(next - distance));
    distance = next;
  }
  const bool regular = std::all_of(codes.begin(), codes.end(), [](auto code) { return code == 0; });
  if (regular) {
    out += static_cast<char>(kRegular);
  } else {
    WriteCodes(codes, BestOrder(codes), out);
  }
}

bool DecodeTimes(std::string_view& in, std::size_t count, std::int64_t* out) {
  const auto first = TakeVarint(in);
  if (!first || *first > static_cast<std::uint64_t>(kMaxTimeMs)) return false;
  out[0] = static_cast<std::int64_t>(*first);
  if (count == 1) return true;
  const auto first_distance = TakeVarint(in);
  const auto k = TakeByte(in);
  if (!first_distance || !k || (*k > kMaxOrder && *k != kRegular)) return false;
  std::uint64_t distance = *first_distance;
  BitReader reader(*k == kRegular ? std::string_view() : in);
  for (std::size_t i = 1; i < count; ++i) {
    if (i > 1 && *k != kRegular) {
      distance += static_cast<std::uint64_t>(UnZigZag(reader.ReadGolomb(*k)));
    }
    if (distance == 0 || distance > static_cast<std::uint64_t>(kMaxTimeMs - out[i - 1])) {
      return false;
    }
    out[i] = out[i - 1] + static_cast<std::int64_t>(distance);
  }
  if (reader.failed()) return false;
  in.remove_prefix(reader.bytes());
  return true;
}

void EncodeValues(std::span<const double> values, std::string& out) {
  const bool equal = std::all_of(values.begin(), values.end(),
                                 [&](double value) { return Bits(value) == Bits(values[0]); });
  if (equal) {
    out += static_cast<char>(kEqual);
    return PutVarint(out, __builtin_bswap64(Bits(values[0])));
  }
  if (const auto places = DecimalPlaces(values)) return EncodeWhole(values, *places, out);
  EncodeXor(values, out);
}

bool DecodeValues(std::string_view& in, std::size_t count, double* out) {
  const auto mode = TakeByte(in);
  if (!mode) return false;
  if (*mode == kXor) return DecodeXor(in, count, out);
  if (*mode == kChange || *mode == kChangeOfChange) {
    return DecodeWhole(in, count, *mode == kChangeOfChange, out);
  }
  const auto value = TakeVarint(in);
  if (*mode != kEqual || !value) return false;
  std::fill(out, out + count, std::bit_cast<double>(__builtin_bswap64(*value)));
  return true;
}

}  // namespace atalaya::history
