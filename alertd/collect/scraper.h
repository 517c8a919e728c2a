#pragma once

#include <memory>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "alertd/collect/metadata_board.h"
#include "alertd/collect/sample_queue.h"
#include "alertd/collect/target_board.h"
#include "base/clock.h"
#include "base/result.h"

namespace atalaya::alertd {

// A target is looked at within so much of becoming one, then in its own turn.
inline constexpr std::chrono::milliseconds kFirstScrapeWithin{1'000};

// What the pages of all targets take while they come, unpacked: were it not for this, a thousand
// hostile ones could each hold up to their body_size_limit until their timeout.
inline constexpr std::size_t kMaxPageBytesTogether = 128u << 20;

// Fetches pages of metrics, each target at its own interval, many at once. A page is taken whole or
// not at all: what is too long, has too many series or cannot be read is a failed scrape with the
// reason; alertd/collect/scrape_series.h says what becomes of its samples. Each scrape also yields
// up, scrape_duration_seconds, scrape_samples_scraped, scrape_samples_post_metric_relabeling and
// scrape_series_added. All series of a target that is a target no more end with stale
// markers; those of a scraper that ends do not, so that a restart is no gap that absent() would
// take for an outage. A change of `up` is an event that rules see at once.
// One thread of its own, from Create to the destructor.
class Scraper {
 public:
  // The boards, `queue` and `clock` outlive it.
  static Result<std::unique_ptr<Scraper>> Create(std::vector<ScrapeConfig> scrapes,
                                                 TargetBoard& board, MetadataBoard& metadata,
                                                 SampleQueue& queue, const Clock& clock);
  ~Scraper();
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;

  // Takes other targets over, soon, on its own thread. Threads: any.
  void Replace(std::vector<ScrapeConfig> scrapes);

  ScrapeFigures Figures() const;  // Threads: any.

 private:
  struct Impl;
  explicit Scraper(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
