#pragma once

#include <cstdint>
#include <string_view>

#include "base/sqlite.h"

namespace atalaya::history {

// What is stored beside the bytes of a row: CRC-32C of its key, as eight bytes with the low one
// first, and of them. A row that a disk has altered, or has put in another's place, is known by it.
std::int64_t RowCheck(std::int64_t key, std::string_view data);

// Whether the row that `row` stands at, whose first columns are its key, its bytes and its check,
// is as it was written. One of a format before 4 has no check, and passes.
bool RowIsIntact(const SqliteStatement& row);

}  // namespace atalaya::history
