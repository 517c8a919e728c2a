#include "alertd/api/point_text.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

namespace atalaya::alertd {
namespace {

// Outside of these Prometheus takes the scientific form.
constexpr double kSmallestPlain = 1e-6;
constexpr double kLargestPlain = 1e21;

// A plain double of 1e21 takes 22 characters, of 1e-6 with 17 digits and a sign 25.
constexpr std::size_t kValueRoom = 28;

// Up to 15 digits a decimal number is the only one of so few that reads back as its double, so that
// it is the shortest text; whole numbers are quicker to write.
constexpr double kLargestDecimal = 1e15;
constexpr double kThousandth = 1000;

constexpr std::size_t kMaxTimes = 11'001;  // As many as a range query has steps.

char* Put(char* out, std::string_view text) { return std::copy(text.begin(), text.end(), out); }

// Three digits.
char* PutThousandths(char* out, unsigned value) {
  *out++ = static_cast<char>('0' + value / 100);
  *out++ = static_cast<char>('0' + value / 10 % 10);
  *out++ = static_cast<char>('0' + value % 10);
  return out;
}

// Writes a value that has at most three decimal places; null where it has more.
char* PutDecimal(char* out, double value) {
  const double size = std::abs(value);
  if (!(size < kLargestDecimal / kThousandth)) return nullptr;
  const auto scaled = static_cast<std::uint64_t>(size * kThousandth + 0.5);
  if (static_cast<double>(scaled) / kThousandth != size) return nullptr;
  if (std::signbit(value)) *out++ = '-';
  out = std::to_chars(out, out + kValueRoom, scaled / 1000).ptr;
  const auto places = static_cast<unsigned>(scaled % 1000);
  if (places == 0) return out;
  *out++ = '.';
  out = PutThousandths(out, places);
  while (out[-1] == '0') --out;
  return out;
}

// Writes at most kValueRoom bytes.
char* PutValue(char* out, double value) {
  if (char* const end = PutDecimal(out, value)) return end;
  if (std::isnan(value)) return Put(out, "NaN");
  if (std::isinf(value)) return Put(out, value > 0 ? "+Inf" : "-Inf");
  const double size = std::abs(value);
  const bool plain = size >= kSmallestPlain && size < kLargestPlain;
  char* const end = std::to_chars(out, out + kValueRoom, value,
                                  plain ? std::chars_format::fixed : std::chars_format::scientific)
                        .ptr;
  if (plain) return end;
  // "1e-07" is written as "1e-7".
  const std::string_view text(out, static_cast<std::size_t>(end - out));
  const std::size_t padded = text.find("e-0");
  return padded == std::string_view::npos ? end
                                          : std::copy(out + padded + 3, end, out + padded + 2);
}

}  // namespace

std::string FormatSampleValue(double value) {
  char buffer[kValueRoom];
  return {buffer, PutValue(buffer, value)};
}

char* PutTime(char* out, std::int64_t utc_ms) {
  if (utc_ms < 0) *out++ = '-';
  const auto size =
      utc_ms < 0 ? 0 - static_cast<std::uint64_t>(utc_ms) : static_cast<std::uint64_t>(utc_ms);
  out = std::to_chars(out, out + kTimeRoom, size / 1000).ptr;
  const auto millis = static_cast<unsigned>(size % 1000);
  if (millis == 0) return out;
  *out++ = '.';
  return PutThousandths(out, millis);
}

char* PointText::Text::CopyTo(char* out) const {
  std::memcpy(out, bytes, sizeof bytes);
  return out + size;
}

PointText::Text PointText::TimeText(std::int64_t utc_ms) {
  Text text;
  char* const end = PutTime(alertd::Put(text.bytes, "["), utc_ms);
  text.size = static_cast<std::size_t>(alertd::Put(end, ",\"") - text.bytes);
  return text;
}

void PointText::KeepValue(std::uint64_t bits) {
  value_bits_ = bits;
  char* const end = alertd::Put(PutValue(value_.bytes, std::bit_cast<double>(bits)), "\"]");
  value_.size = static_cast<std::size_t>(end - value_.bytes);
}

char* PointText::Put(char* out, const telemetry::Sample& sample) {
  while (next_time_ < times_.size() && times_[next_time_].utc_ms < sample.time_ms) ++next_time_;
  if (next_time_ < times_.size() && times_[next_time_].utc_ms == sample.time_ms) {
    out = times_[next_time_].text.CopyTo(out);
  } else {
    const Text text = TimeText(sample.time_ms);
    out = text.CopyTo(out);
    if (next_time_ == times_.size() && next_time_ < kMaxTimes) {
      times_.push_back({sample.time_ms, text});
    }
  }
  const auto bits = std::bit_cast<std::uint64_t>(sample.value);
  if (bits != value_bits_ || value_.size == 0) KeepValue(bits);
  return value_.CopyTo(out);
}

}  // namespace atalaya::alertd
