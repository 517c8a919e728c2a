#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "telemetry/labels.h"
#include "telemetry/sample.h"

namespace atalaya::telemetry {

// A series that is written to again and again, as its writer holds it. What a store notes in it
// spares the look-up by labels the next time; no writer touches `store_id`.
struct Series {
  explicit Series(Labels with) : labels(std::move(with)) {}

  const Labels labels;  // With kMetricName.
  std::uint32_t store_id = 0;
};

// The series that `metric` has with these labels.
inline std::shared_ptr<Series> NamedSeries(Labels labels, std::string_view metric) {
  labels.Set(kMetricName, metric);
  return std::make_shared<Series>(std::move(labels));
}

struct SeriesSample {
  std::shared_ptr<Series> series;
  Sample sample;
};

}  // namespace atalaya::telemetry
