#include "history/row_check.h"

#include <array>
#include <cstddef>
#include <span>

#include "base/crc32c.h"

namespace atalaya::history {

std::int64_t RowCheck(std::int64_t key, std::string_view data) {
  std::array<std::byte, sizeof key> place;
  for (std::size_t i = 0; i < place.size(); ++i) place[i] = static_cast<std::byte>(key >> 8 * i);
  const std::uint32_t begun = Crc32c(place);
  const std::uint32_t check = Crc32c(std::as_bytes(std::span(data.data(), data.size())), begun);
  return static_cast<std::int32_t>(check);  // Signed it fits four bytes of SQLite's.
}

bool RowIsIntact(const SqliteStatement& row) {
  return row.IsNull(2) || row.Integer(2) == RowCheck(row.Integer(0), row.Blob(1));
}

}  // namespace atalaya::history
