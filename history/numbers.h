#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace atalaya::history {

// A column of whole numbers, which the reader knows the count of, in the form that takes the fewest
// bits. Layout: byte form; from 64 on, zigzag varint of the least number; then the codes:
//   0 to 40: the numbers, zigzag, as exponential-Golomb codes of that order;
//   64 + w, w up to 56: what each is above the least, in w bits;
//   128 + k, k up to 40: the same as exponential-Golomb codes of order k.
struct NumberForm {
  unsigned char form = 0;
  std::int64_t least = 0;
  std::uint64_t bits = 0;  // The whole column's, near enough to compare.
};

// `numbers`: any count; each within 2^55 of zero.
NumberForm BestForm(std::span<const std::int64_t> numbers);
void WriteNumbers(std::span<const std::int64_t> numbers, const NumberForm& form, std::string& out);

// Takes a column of `count` numbers from the front of `in`, which may be any bytes: false where
// they are none, and `out` then holds anything.
bool ReadNumbers(std::string_view& in, std::size_t count, std::int64_t* out);

}  // namespace atalaya::history
