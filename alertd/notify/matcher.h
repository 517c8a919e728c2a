#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "promql/regex.h"
#include "telemetry/labels.h"
#include "telemetry/series_source.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxMatchers = 64;             // Of one silence, route or side.
inline constexpr std::size_t kMaxMatcherTextBytes = 4'096;  // Of a name, a value or a pattern.

// Reads `alertname="Down"`, `severity=~"critical|page"`, with =, !=, =~ or !~; the value may stand
// without quotes. kInvalid where it is none of that, or CheckMatcher refuses it.
// Source: the Alertmanager documentation, <matcher>.
Result<telemetry::Matcher> ParseMatcher(std::string_view text);

// kInvalid where the name is empty, the pattern is none, or a text is too long or not UTF-8.
Status CheckMatcher(const telemetry::Matcher& matcher);

// Conditions that must all hold; none at all hold for everything. Threads: any.
class Matchers {
 public:
  Matchers() = default;
  explicit Matchers(std::vector<telemetry::Matcher> matchers);  // Each passes CheckMatcher.

  bool Hold(const telemetry::Labels& labels) const;

  // Whether they hold where no label is set.
  bool HoldForNothing() const { return Hold(telemetry::Labels()); }

  const std::vector<telemetry::Matcher>& list() const { return list_; }

  // `{alertname="Down",severity=~"critical|page"}`, sorted by name, as Alertmanager writes them.
  std::string ToString() const;

 private:
  std::vector<telemetry::Matcher> list_;
  std::vector<promql::CompiledMatcher> compiled_;
};

// The strings at `key`, each a matcher. Faults are noted in `table`.
Matchers ReadMatchers(ConfigTable& table, std::string_view key);

}  // namespace atalaya::alertd
