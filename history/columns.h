#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atalaya::history {

// Columns of times and of values, packed. Both are appended to `out` and taken from the front of
// `in`; the count is the reader's to know. Decoding takes any bytes: false where they are none of
// these, and `out` then holds anything.

// 1 to kMaxChunkSamples rising times of 0 to kMaxTimeMs (history/chunk.h). Scrapes come every few
// seconds and a few ms late: times are what they are off a grid, where that takes less than the
// changes of their distance. Layout: varint first; with two or more: varint first distance and byte
// way: 255 where all distances are equal; 254: that distance is the grid's, and numbers
// (history/numbers.h) say how far each further time is off it; anything else begins the numbers
// that are the distance's changes.
void EncodeTimes(std::span<const std::int64_t> times, std::string& out);
bool DecodeTimes(std::string_view& in, std::size_t count, std::int64_t* out);

// 1 to kMaxChunkSamples values keep every bit, NaNs too. What is decimal in nature (0.25, 1234.5,
// whole numbers) is packed as whole numbers: the steps from value to value, in the greatest unit
// that they share, or the changes of the step for what grows steadily; anything else as the XOR
// with the value before. Layout: byte mode;
//   0 (all equal): varint of the value's bytes in reverse order.
//   1 (XOR): the same of the first value; then for each further one 0: none; 10: the bits of the
//     window set last; 11: 5 bits of leading zeros, 6 bits of length - 1, those bits.
//   4 (steps): byte of decimal places, varint unit, zigzag varint of the first whole number, the
//     steps as numbers.
//   5 (changes of the step): as 4, but a zigzag varint of the first step stands before the numbers.
//   2, 3 (as 4 and 5, of columns up to chunk format 2): without a unit, and in 3 the first number
//   is
//     the first step.
// Source of the XOR: Pelkonen et al., Gorilla, VLDB 2015.
void EncodeValues(std::span<const double> values, std::string& out);
bool DecodeValues(std::string_view& in, std::size_t count, double* out);

}  // namespace atalaya::history
