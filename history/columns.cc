#include "history/columns.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "history/bits.h"
#include "history/chunk.h"
#include "history/numbers.h"
#include "history/varint.h"
#include "history/xor_stream.h"

namespace atalaya::history {
namespace {

// kChange and kChangeOfChange: of columns as chunks up to format 2 have them.
enum Mode : unsigned char { kEqual, kXor, kChange, kChangeOfChange, kSteps, kStepsOfSteps };

constexpr unsigned char kRegular = 255;
constexpr unsigned char kGrid = 254;
constexpr int kMaxPlaces = 12;
constexpr double kMaxWhole = 4503599627370496.0;  // 2^52: such a number and its changes are exact.

constexpr std::array<double, kMaxPlaces + 1> kPowers = {1,   1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                                        1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

std::uint64_t Bits(double value) { return std::bit_cast<std::uint64_t>(value); }

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

// The changes from number to number.
void Differences(std::span<const std::int64_t> numbers, std::vector<std::int64_t>& out) {
  out.clear();
  for (std::size_t i = 1; i < numbers.size(); ++i) out.push_back(numbers[i] - numbers[i - 1]);
}

// The greatest unit that all are multiples of, at least 1.
std::int64_t CommonUnit(std::span<const std::int64_t> numbers) {
  std::int64_t unit = 0;
  for (const std::int64_t number : numbers) {
    unit = std::gcd(unit, number);
    if (unit == 1) break;
  }
  return std::max<std::int64_t>(unit, 1);
}

void EncodeWhole(std::span<const double> values, int places, std::string& out) {
  thread_local std::vector<std::int64_t> wholes;
  thread_local std::vector<std::int64_t> steps;
  thread_local std::vector<std::int64_t> second;
  wholes.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) ToWhole(values[i], places, wholes[i]);
  Differences(wholes, steps);
  const std::int64_t unit = CommonUnit(steps);
  if (unit > 1) {
    for (std::int64_t& step : steps) step /= unit;
  }
  Differences(steps, second);
  const NumberForm plain = BestForm(steps);
  const NumberForm steady = BestForm(second);
  const bool by_second = steady.bits < plain.bits;
  out += static_cast<char>(by_second ? kStepsOfSteps : kSteps);
  out += static_cast<char>(places);
  PutVarint(out, static_cast<std::uint64_t>(unit));
  PutVarint(out, ZigZag(wholes[0]));
  if (by_second) {
    PutVarint(out, ZigZag(steps[0]));
    WriteNumbers(second, steady, out);
  } else {
    WriteNumbers(steps, plain, out);
  }
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

bool DecodeWhole(std::string_view& in, Mode mode, std::size_t count, double* out) {
  const auto places = TakeByte(in);
  const auto unit = mode >= kSteps ? TakeVarint(in) : std::optional<std::uint64_t>(1);
  const auto first = TakeVarint(in);
  if (!places || *places > kMaxPlaces || !unit || !first) return false;
  const bool summed = mode == kChangeOfChange || mode == kStepsOfSteps;
  std::int64_t steps[kMaxChunkSamples];
  std::size_t known = 0;  // Steps that stand before the numbers.
  if (mode == kStepsOfSteps && count > 1) {
    const auto step = TakeVarint(in);
    if (!step) return false;
    steps[known++] = UnZigZag(*step);
  }
  if (!ReadNumbers(in, count - 1 - known, steps + known)) return false;
  const double power = kPowers[*places];
  // Unsigned, because hostile bytes may overflow.
  auto whole = static_cast<std::uint64_t>(UnZigZag(*first));
  std::uint64_t step = 0;
  out[0] = static_cast<double>(static_cast<std::int64_t>(whole)) / power;
  for (std::size_t i = 1; i < count; ++i) {
    step = static_cast<std::uint64_t>(steps[i - 1]) + (summed ? step : 0);
    whole += step * *unit;
    out[i] = static_cast<double>(static_cast<std::int64_t>(whole)) / power;
  }
  return true;
}

// What each time is off a grid of equal distances from the first one.
void OffGrid(std::span<const std::int64_t> times, std::int64_t distance,
             std::vector<std::int64_t>& out) {
  out.clear();
  std::int64_t due = times[0];
  for (const std::int64_t time : times.subspan(1)) out.push_back(time - (due += distance));
}

}  // namespace

void EncodeTimes(std::span<const std::int64_t> times, std::string& out) {
  PutVarint(out, static_cast<std::uint64_t>(times[0]));
  if (times.size() == 1) return;
  thread_local std::vector<std::int64_t> distances;
  thread_local std::vector<std::int64_t> changes;
  thread_local std::vector<std::int64_t> off;
  Differences(times, distances);
  Differences(distances, changes);
  if (std::all_of(changes.begin(), changes.end(), [](auto change) { return change == 0; })) {
    PutVarint(out, static_cast<std::uint64_t>(distances[0]));
    out += static_cast<char>(kRegular);
    return;
  }
  const auto count = static_cast<std::int64_t>(distances.size());
  const std::int64_t mean = (times.back() - times.front() + count / 2) / count;
  OffGrid(times, mean, off);
  const NumberForm by_grid = BestForm(off);
  const NumberForm by_changes = BestForm(changes);
  if (by_grid.bits < by_changes.bits) {
    PutVarint(out, static_cast<std::uint64_t>(mean));
    out += static_cast<char>(kGrid);
    return WriteNumbers(off, by_grid, out);
  }
  PutVarint(out, static_cast<std::uint64_t>(distances[0]));
  WriteNumbers(changes, by_changes, out);
}

bool DecodeTimes(std::string_view& in, std::size_t count, std::int64_t* out) {
  const auto first = TakeVarint(in);
  if (!first || *first > static_cast<std::uint64_t>(kMaxTimeMs)) return false;
  out[0] = static_cast<std::int64_t>(*first);
  if (count == 1) return true;
  const auto first_distance = TakeVarint(in);
  if (!first_distance || in.empty()) return false;
  const auto way = static_cast<unsigned char>(in.front());
  if (way >= kGrid) in.remove_prefix(1);
  std::int64_t numbers[kMaxChunkSamples] = {};
  if (way == kGrid && !ReadNumbers(in, count - 1, numbers)) return false;
  if (way < kGrid && !ReadNumbers(in, count - 2, numbers + 1)) return false;
  // Unsigned, because hostile bytes may overflow.
  std::uint64_t due = *first;
  std::uint64_t distance = *first_distance;
  for (std::size_t i = 1; i < count; ++i) {
    const auto number = static_cast<std::uint64_t>(numbers[i - 1]);
    if (way < kGrid) distance += number;
    due += distance;
    const std::uint64_t time = way == kGrid ? due + number : due;
    if (time > static_cast<std::uint64_t>(kMaxTimeMs)) return false;
    out[i] = static_cast<std::int64_t>(time);
    if (out[i] <= out[i - 1]) return false;
  }
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
  if (*mode >= kChange && *mode <= kStepsOfSteps) {
    return DecodeWhole(in, static_cast<Mode>(*mode), count, out);
  }
  const auto value = TakeVarint(in);
  if (*mode != kEqual || !value) return false;
  std::fill(out, out + count, std::bit_cast<double>(__builtin_bswap64(*value)));
  return true;
}

}  // namespace atalaya::history
