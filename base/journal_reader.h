#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "base/journal_files.h"
#include "base/result.h"

namespace atalaya {

// Where a record stands in a journal: grows by one with each record, is never reused and survives
// restarts. The first is 1; 0 comes before all.
using JournalPosition = std::uint64_t;

// What reading a journal found.
struct JournalReport {
  std::uint64_t records = 0;           // Handed out.
  std::uint64_t lost_records = 0;      // Damaged or missing, though they had been durable.
  std::uint64_t damaged_segments = 0;  // That the lost ones were in; copied aside.
  std::uint64_t cut_records = 0;  // Whole ones behind the tear of a tail that was never durable.
};

// What a journal that is opened needs to go on from.
struct JournalContents {
  JournalReport report;
  JournalPosition next = 1;               // Of the first record to be written.
  std::vector<JournalPosition> segments;  // Bases of the segments that are there, ascending.
  std::uint32_t salt = 0;                 // 0: no segment said one.
};

// Called with each record, oldest first; the payload is valid during the call.
using JournalVisitor = std::function<void(JournalPosition, std::string_view)>;

// Reads every intact record in `folder`. A torn tail is cut. Damage before it costs the records it
// touches only: the segment is copied aside as "damaged-...", reading resumes at the next valid
// record, and the loss is counted and logged. kVersion where a newer program wrote a segment, which
// is named; kIo where the folder or a file cannot be read.
Result<JournalContents> ReadJournal(JournalFiles& files, const std::filesystem::path& folder,
                                    const JournalVisitor& visit);

}  // namespace atalaya
