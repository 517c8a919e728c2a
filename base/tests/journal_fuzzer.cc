// Recovery of a journal whose segments hold anything. The input: per segment a byte for its base,
// two for its length, and its content; what was read once must be read again the same.

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/journal_format.h"
#include "base/journal_reader.h"
#include "base/tests/memory_journal_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atalaya;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  MemoryJournalFiles files;
  while (input.size() >= 3) {
    const auto base = static_cast<std::uint8_t>(input[0]);
    const auto length = static_cast<std::size_t>(static_cast<std::uint8_t>(input[1]) |
                                                 static_cast<std::uint8_t>(input[2]) << 8);
    input.remove_prefix(3);
    const std::string_view content = input.substr(0, length);
    input.remove_prefix(content.size());
    files.SetContent(journal_format::SegmentName(base), std::string(content));
  }
  std::vector<std::pair<JournalPosition, std::string>> records[2];
  for (auto& read : records) {
    const auto contents = ReadJournal(files, "", [&](JournalPosition at, std::string_view payload) {
      ATALAYA_CHECK(read.empty() || at > read.back().first);
      read.emplace_back(at, payload);
    });
    if (!contents) return 0;
    ATALAYA_CHECK(contents->report.records == read.size());
    ATALAYA_CHECK(read.empty() || contents->next > read.back().first);
  }
  ATALAYA_CHECK(records[0] == records[1]);
  return 0;
}
