#include "exporter/sample_sheet.h"

namespace atalaya::exporter {

void SampleSheet::Add(const FamilyInfo& family, std::string_view labels, double value) {
  auto at = families_.find(family.name);
  if (at == families_.end()) {
    at = families_.emplace(family.name, Family{family.type, std::string(family.help), {}}).first;
  }
  at->second.samples.emplace_back(labels, value);
}

void SampleSheet::Write(telemetry::TextWriter& out) {
  for (const auto& [name, family] : families_) {
    out.Family(name, family.type, family.help);
    for (const auto& [labels, value] : family.samples) out.Sample(labels, value);
  }
  families_.clear();
}

}  // namespace atalaya::exporter
