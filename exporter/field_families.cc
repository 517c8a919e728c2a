#include "exporter/field_families.h"

#include <utility>

namespace atalaya::exporter {

FieldFamilies::Family* FieldFamilies::Learn(Family family) {
  constexpr std::string_view kNameBytes =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  if (family.metric.empty() || family.metric.find_first_not_of(kNameBytes) != std::string::npos)
    return nullptr;
  return &families_.try_emplace(family.metric, std::move(family)).first->second;
}

}  // namespace atalaya::exporter
