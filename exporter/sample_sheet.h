#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/text_writer.h"

namespace atalaya::exporter {

// A family as data: what a collector's tables are made of.
struct FamilyInfo {
  std::string_view name;
  telemetry::MetricType type;
  std::string_view help;
};

// Samples that are found device by device and have to be written family by family.
// Threads: one at a time.
class SampleSheet {
 public:
  // Of several calls with one name, the first one's type and help count.
  void Add(const FamilyInfo& family, std::string_view labels, double value);

  // Writes the families by name, the samples of each in the order they were added, and forgets
  // them. A series that was added twice (a broken file) is written once: a doubled one would make
  // the whole page invalid.
  void Write(telemetry::TextWriter& out);

 private:
  struct Family {
    telemetry::MetricType type;
    std::string help;
    std::vector<std::pair<std::string, double>> samples;  // By labels.
  };
  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace atalaya::exporter
