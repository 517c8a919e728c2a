#pragma once

#include <memory>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "alertd/collect/sample_queue.h"
#include "alertd/collect/target_board.h"
#include "base/clock.h"
#include "base/result.h"

namespace atalaya::alertd {

// Fetches pages of metrics, each target at its own interval, many at once. A page is taken whole or
// not at all: what is too long, has too many series or cannot be read is a failed scrape with the
// reason. Its samples get the labels `job`, `instance` and those of the configuration (labels of
// the page that clash become `exported_*`). Each scrape also yields up, scrape_duration_seconds and
// scrape_samples_scraped. A series that a page no longer has, and every series of a failed scrape,
// ends with a stale marker. A change of `up` is an event that rules see at once.
// One thread of its own besides that of the HTTP client, from Create to the destructor.
class Scraper {
 public:
  // `board`, `queue` and `clock` outlive it. Adds a target per address.
  static Result<std::unique_ptr<Scraper>> Create(const std::vector<ScrapeConfig>& scrapes,
                                                 TargetBoard& board, SampleQueue& queue,
                                                 const Clock& clock);
  ~Scraper();
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;

 private:
  struct Impl;
  explicit Scraper(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
