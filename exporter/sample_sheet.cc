#include "exporter/sample_sheet.h"

#include <set>

namespace atalaya::exporter {

void SampleSheet::Add(const FamilyInfo& family, std::string_view labels, double value) {
  auto at = families_.find(family.name);
  if (at == families_.end()) {
    at = families_.emplace(family.name, Family{family.type, std::string(family.help), {}}).first;
  }
  at->second.samples.emplace_back(labels, value);
}

void SampleSheet::Write(telemetry::TextWriter& out) {
  std::set<std::string_view> seen;
  for (const auto& [name, family] : families_) {
    out.Family(name, family.type, family.help);
    seen.clear();
    for (const auto& [labels, value] : family.samples) {
      if (seen.insert(labels).second) out.Sample(labels, value);
    }
  }
  families_.clear();
}

}  // namespace atalaya::exporter
