#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace atalaya::exporter {

// The families of a file whose fields the kernel names: one for each field, named at its first
// sight.
// Threads: one at a time.
class FieldFamilies {
 public:
  struct Family {
    std::string metric;  // "": the field is not wanted.
    std::string help;
    std::uint64_t scrape = 0;  // The last one that asked for it.
  };

  void BeginScrape() { ++scrape_; }

  // The family of `field`, which `name(field)` makes. Null where it is not wanted, where the field
  // makes no metric name or stood in this scrape before (a broken file would make the whole page
  // invalid), and for all beyond kMaxFields. Valid as long as this object.
  template <typename Namer>
  const Family* Once(std::string_view field, const Namer& name) {
    scratch_ = field;
    auto known = fields_.find(scratch_);
    if (known == fields_.end()) {
      if (fields_.size() >= kMaxFields) return nullptr;
      known = fields_.emplace(scratch_, Learn(name(field))).first;
    }
    Family* family = known->second;
    if (family == nullptr || family->scrape == scrape_) return nullptr;
    family->scrape = scrape_;
    return family;
  }

 private:
  static constexpr std::size_t kMaxFields = 4096;
  Family* Learn(Family family);

  std::uint64_t scrape_ = 0;
  std::string scratch_;
  std::unordered_map<std::string, Family*> fields_;   // Null: never written.
  std::unordered_map<std::string, Family> families_;  // By metric, which several fields may make.
};

}  // namespace atalaya::exporter
