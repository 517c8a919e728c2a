#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/record.h"
#include "telemetry/labels.h"
#include "telemetry/series_source.h"

namespace atalaya::history {

// Which series carry which labels. Threads: the owner locks.
class LabelIndex {
 public:
  void Add(SeriesId id, const telemetry::Labels& labels);
  void Remove(SeriesId id, const telemetry::Labels& labels);

  // The series, by rising id, that satisfy every matcher; `matchers` empty gives all that were
  // added. kInvalid for a pattern that RE2 does not read.
  Result<std::vector<SeriesId>> Find(const std::vector<telemetry::Matcher>& matchers) const;

 private:
  using Ids = std::vector<SeriesId>;  // Rising.
  using Values = std::map<std::string, Ids, std::less<>>;

  Result<Ids> Matching(const telemetry::Matcher& matcher, bool& inverted) const;

  std::map<std::string, Values, std::less<>> postings_;
  Ids all_;
};

}  // namespace atalaya::history
