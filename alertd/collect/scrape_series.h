#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "alertd/collect/scrape_fault.h"
#include "base/result.h"
#include "telemetry/metric_type.h"
#include "telemetry/series.h"
#include "telemetry/text_scanner.h"

namespace atalaya::alertd {

// The keys of a [[scrape]] that say how a page is taken.
struct PageRules {
  bool honor_labels = false;
  bool honor_timestamps = true;
  ScrapeLimits limits;

  friend bool operator==(const PageRules&, const PageRules&) = default;
};

struct PageFigures {
  std::size_t scraped = 0;  // Samples seen, up to the fault where there was one.
  std::size_t added = 0;    // Series that the page before did not have.
  std::optional<ScrapeFault> fault;

  // What a good page says of its families, where the last good one said something else.
  std::optional<std::vector<telemetry::FamilyMetadata>> families;
};

// The series of one target from page to page. What a series is called is worked out when it is new;
// after that its line is recognised by its first bytes, at the place where it stood before.
//
// A page is taken whole or not at all. Its series get the target's labels; labels of the page with
// the same names become exported_*, or with `honor_labels` win. A series that the page before had
// and this one has not, and each of a page that failed, ends with a stale marker, but for those
// that come with a timestamp, whose end nobody can tell. All as in Prometheus.
// Threads: one at a time.
class ScrapeSeries {
 public:
  ScrapeSeries(telemetry::Labels target, const PageRules& rules);

  using Samples = std::vector<telemetry::SeriesSample>;

  // Appends the samples of `page`, and the stale markers that follow from it; where the page is bad
  // (`fault`), stale markers only. `time_ms`: when the scrape began.
  PageFigures ReadPage(std::string_view page, telemetry::TextFormat format, std::int64_t time_ms,
                       Samples& samples);

  // There is no page: appends the stale markers of what the last one had.
  void EndAll(std::int64_t time_ms, Samples& samples);

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  struct Entry {
    std::string text;  // As it stands in the page.
    std::shared_ptr<telemetry::Series> series;
    std::size_t place = kNowhere;  // In `order_`.
    std::uint64_t round = 0;       // Of the last page that had it.
    bool timed = false;            // There it had a timestamp of its own.
    bool live = false;             // Its last sample had none, and its end was not marked.
  };
  // What one page has brought so far.
  struct Reading {
    std::int64_t time_ms;
    std::vector<Entry*> order, added;
    PageFigures figures;
  };

  void ReadSamples(telemetry::TextScanner& scanner, Reading& reading, Samples& samples);
  Entry* FindOrAdd(const telemetry::TextScanner& scanner, std::string_view text, Reading& reading);
  telemetry::Labels NameSeries(std::vector<telemetry::Labels::Pair> pairs) const;
  Status CheckLabels(const telemetry::Labels& labels) const;
  void Commit(Reading& reading, Samples& samples);
  void RollBack(Reading& reading);

  const telemetry::Labels target_;
  const PageRules rules_;
  std::unordered_map<std::string_view, std::unique_ptr<Entry>> entries_;  // By their text.
  std::vector<Entry*> order_;                                             // All, as last seen.
  std::uint64_t round_ = 0;
  std::size_t families_hash_ = 0;  // Of the last good page; 0: it said nothing.
};

}  // namespace atalaya::alertd
