#include "history/numbers.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "history/bits.h"
#include "history/varint.h"

namespace atalaya::history {
namespace {

constexpr int kLeastAndBits = 64;
constexpr int kLeastAndGolomb = 128;
constexpr int kMaxOrder = 40;  // Of the exponential-Golomb codes.
constexpr int kMaxBits = 56;

struct Order {
  int k = 0;
  std::uint64_t bits = ~std::uint64_t{0};
};

// The order that packs `codes` best, near enough: costs are taken until they rise.
Order BestOrder(std::span<const std::uint64_t> codes) {
  std::uint64_t all = 0;
  for (const std::uint64_t code : codes) all |= code;
  const int highest = std::min(static_cast<int>(std::bit_width(all)), kMaxOrder);
  Order best;
  for (int k = 0; k <= highest; ++k) {
    std::uint64_t bits = 0;
    for (const std::uint64_t code : codes) bits += static_cast<unsigned>(GolombBits(code, k));
    if (bits < best.bits) {
      best = {k, bits};
    } else if (k > best.k + 2) {
      break;  // The cost has one valley.
    }
  }
  return best;
}

// What is above `least`, which may be far below: unsigned.
std::uint64_t Above(std::int64_t number, std::int64_t least) {
  return static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(least);
}

std::uint64_t BitsOfVarint(std::int64_t number) {
  return 8 * ((static_cast<std::uint64_t>(std::bit_width(ZigZag(number) | 1)) + 6) / 7);
}

}  // namespace

NumberForm BestForm(std::span<const std::int64_t> numbers) {
  if (numbers.empty()) return {};
  thread_local std::vector<std::uint64_t> codes;
  codes.clear();
  for (const std::int64_t number : numbers) codes.push_back(ZigZag(number));
  const Order zigzag = BestOrder(codes);
  NumberForm best{static_cast<unsigned char>(zigzag.k), 0, zigzag.bits};

  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  const int width = static_cast<int>(std::bit_width(Above(*most, *least)));
  const std::uint64_t head = BitsOfVarint(*least);
  const std::uint64_t fixed = head + static_cast<unsigned>(width) * numbers.size();
  if (fixed <= best.bits) {  // It is also read the fastest.
    best = {static_cast<unsigned char>(kLeastAndBits + width), *least, fixed};
  }
  codes.clear();
  for (const std::int64_t number : numbers) codes.push_back(Above(number, *least));
  const Order above = BestOrder(codes);
  if (head + above.bits < best.bits) {
    best = {static_cast<unsigned char>(kLeastAndGolomb + above.k), *least, head + above.bits};
  }
  return best;
}

void WriteNumbers(std::span<const std::int64_t> numbers, const NumberForm& form, std::string& out) {
  out += static_cast<char>(form.form);
  if (form.form >= kLeastAndBits) PutVarint(out, ZigZag(form.least));
  BitWriter writer(out);
  for (const std::int64_t number : numbers) {
    if (form.form < kLeastAndBits) {
      writer.WriteGolomb(ZigZag(number), form.form);
    } else if (form.form < kLeastAndGolomb) {
      writer.Write(Above(number, form.least), form.form - kLeastAndBits);
    } else {
      writer.WriteGolomb(Above(number, form.least), form.form - kLeastAndGolomb);
    }
  }
  writer.Finish();
}

bool ReadNumbers(std::string_view& in, std::size_t count, std::int64_t* out) {
  if (in.empty()) return false;
  const int form = static_cast<unsigned char>(in.front());
  in.remove_prefix(1);
  std::uint64_t least = 0;  // Unsigned, because hostile bytes may overflow.
  if (form >= kLeastAndBits) {
    const auto zigzag = TakeVarint(in);
    if (!zigzag) return false;
    least = static_cast<std::uint64_t>(UnZigZag(*zigzag));
  }
  BitReader reader(in);
  if (form <= kMaxOrder) {
    for (std::size_t i = 0; i < count; ++i) out[i] = UnZigZag(reader.ReadGolomb(form));
  } else if (const int bits = form - kLeastAndBits; bits >= 0 && bits <= kMaxBits) {
    std::size_t i = 0;
    if (8 * bits <= kMaxBits) {  // Eight in one go, which is most of the time that reading takes.
      const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
      for (; i + 8 <= count; i += 8) {
        const std::uint64_t eight = reader.Read(8 * bits);
        for (std::size_t j = 0; j < 8; ++j) {
          const std::uint64_t number = eight >> (static_cast<std::size_t>(bits) * (7 - j)) & mask;
          out[i + j] = static_cast<std::int64_t>(least + number);
        }
      }
    }
    for (; i < count; ++i) out[i] = static_cast<std::int64_t>(least + reader.Read(bits));
  } else if (const int k = form - kLeastAndGolomb; k >= 0 && k <= kMaxOrder) {
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = static_cast<std::int64_t>(least + reader.ReadGolomb(k));
    }
  } else {
    return false;
  }
  if (reader.failed()) return false;
  in.remove_prefix(reader.bytes());
  return true;
}

}  // namespace atalaya::history
