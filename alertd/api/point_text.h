#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "telemetry/sample.h"

namespace atalaya::alertd {

// A float as Prometheus writes it in JSON: the shortest text that reads back the same.
std::string FormatSampleValue(double value);

// What PutTime and PointText::Put write into must have room for that much.
inline constexpr std::size_t kTimeRoom = 32;
inline constexpr std::size_t kPointRoom = 80;

// 1435781451.781, as Prometheus. Returns its end.
char* PutTime(char* out, std::int64_t utc_ms);

// Writes the points of an answer. Its series share their times, and many a value is the one before:
// such a text is made once.
class PointText {
 public:
  void BeginSeries() { next_time_ = 0; }
  // [1435781451.781,"0.5"]; returns its end.
  char* Put(char* out, const telemetry::Sample& sample);

 private:
  // Copied whole, as that is quicker than to its end; `size` of it count.
  struct Text {
    char bytes[kTimeRoom] = {};
    std::size_t size = 0;
    char* CopyTo(char* out) const;
  };
  struct Time {
    std::int64_t utc_ms;
    Text text;
  };
  static Text TimeText(std::int64_t utc_ms);
  void KeepValue(std::uint64_t bits);

  std::vector<Time> times_;  // By rising time; see kMaxTimes.
  std::size_t next_time_ = 0;
  std::uint64_t value_bits_ = 0;
  Text value_;
};

}  // namespace atalaya::alertd
