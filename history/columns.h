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

// Rising times of 0 to kMaxTimeMs (history/chunk.h), at least one.
// Layout: varint first; with two or more: varint first distance and byte k: 255 where all distances
// are equal, else the changes of the distance, zigzag, as exponential-Golomb codes of order k.
void EncodeTimes(std::span<const std::int64_t> times, std::string& out);
bool DecodeTimes(std::string_view& in, std::size_t count, std::int64_t* out);

// Values keep every bit, NaNs too. What is decimal in nature (0.25, 1234.5, whole numbers) is
// packed as whole numbers: the change from value to value, or the change of that for what grows
// steadily, as exponential-Golomb codes of the order that suits them; anything else as the XOR with
// the value before. Layout: byte mode; 0 (all equal), 1 (XOR): varint of the first value's bytes in
// reverse order; 2 (change), 3 (change of the change): byte of decimal places, zigzag varint of the
// first whole number, byte k. Then the codes: of XOR, 0: none; 10: the bits of the window set last;
// 11: 5 bits of leading zeros, 6 bits of length - 1, those bits. Source of the XOR: Pelkonen et
// al., Gorilla, VLDB 2015.
void EncodeValues(std::span<const double> values, std::string& out);
bool DecodeValues(std::string_view& in, std::size_t count, double* out);

}  // namespace atalaya::history
