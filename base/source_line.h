#pragma once

#include <string>
#include <string_view>

namespace atalaya {

// Shows, for people at a terminal, what faults speak of: behind each line that begins with
// `file:line:column: ` come that line of the file and a caret below the column. A line without a
// place, or whose file cannot be read, stays as it is. Blocks on the files.
std::string WithSourceLines(std::string_view faults);

}  // namespace atalaya
