#include "alertd/collect/scrape_series.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace atalaya::alertd {

using telemetry::Labels;
using telemetry::ScannedSample;
using telemetry::TextScanner;

namespace {
constexpr std::size_t kShownBytes = 50;  // Of a metric's name, in a message.

std::vector<telemetry::FamilyMetadata> FamiliesOf(std::string_view page,
                                                  telemetry::TextFormat format,
                                                  const telemetry::TextLimits& limits) {
  std::vector<telemetry::FamilyMetadata> families;
  TextScanner scanner(page, format, limits, &families);
  for (ScannedSample sample; scanner.Next("", sample);) {
  }
  return families;
}

}  // namespace

ScrapeSeries::ScrapeSeries(Labels target, const PageRules& rules)
    : target_(std::move(target)), rules_(rules) {}

PageFigures ScrapeSeries::ReadPage(std::string_view page, telemetry::TextFormat format,
                                   std::int64_t time_ms, Samples& samples) {
  const std::size_t before = samples.size();
  ++round_;
  Reading reading{time_ms, {}, {}, {}};
  reading.order.reserve(order_.size());
  const telemetry::TextLimits limits{.labels = rules_.limits.labels};
  TextScanner scanner(page, format, limits);
  ReadSamples(scanner, reading, samples);
  PageFigures& figures = reading.figures;
  if (!figures.fault && !scanner.status())
    figures.fault = {ScrapeFaultKind::kSyntax, scanner.status().error().message};
  if (!figures.fault && figures.scraped > rules_.limits.samples)
    figures.fault = {ScrapeFaultKind::kSampleLimit,
                     fmt::format("{} samples, more than sample_limit = {}", figures.scraped,
                                 rules_.limits.samples)};
  if (!figures.fault) {
    Commit(reading, samples);
    // Page after page says the same of its families.
    const std::size_t before_hash = std::exchange(families_hash_, scanner.families_hash());
    if (families_hash_ != before_hash) figures.families = FamiliesOf(page, format, limits);
  } else {
    samples.resize(before);
    RollBack(reading);
    EndAll(time_ms, samples);
  }
  return std::move(reading.figures);
}

void ScrapeSeries::ReadSamples(TextScanner& scanner, Reading& reading, Samples& samples) {
  PageFigures& figures = reading.figures;
  ScannedSample sample;
  std::size_t place = 0;  // Where the next line stood in the page before, if nothing has changed.
  while (true) {
    const std::string_view expected =
        place < order_.size() ? std::string_view(order_[place]->text) : std::string_view();
    if (!scanner.Next(expected, sample)) return;
    // Over the limit they are only counted, so that scrape_samples_scraped says how many came.
    if (++figures.scraped > rules_.limits.samples) continue;
    Entry* entry = sample.series.size() == expected.size() && sample.series == expected
                       ? order_[place]
                       : FindOrAdd(scanner, sample.series, reading);
    if (entry == nullptr) {
      if (figures.fault->kind == ScrapeFaultKind::kSyntax) --figures.scraped;
      return;
    }
    entry->timed = sample.time_ms && rules_.honor_timestamps;
    samples.push_back(
        {entry->series, {entry->timed ? *sample.time_ms : reading.time_ms, sample.value}});
    if (entry->round == round_) continue;  // A doubled line.
    entry->round = round_;
    reading.order.push_back(entry);
    if (entry->place != kNowhere) place = entry->place + 1;
  }
}

// Null where the series cannot be taken.
ScrapeSeries::Entry* ScrapeSeries::FindOrAdd(const TextScanner& scanner, std::string_view text,
                                             Reading& reading) {
  const auto known = entries_.find(text);
  if (known != entries_.end()) return known->second.get();
  auto pairs = scanner.ReadSeries(text);
  if (!pairs) {
    reading.figures.fault = {pairs.error().code == ErrorCode::kLimit ? ScrapeFaultKind::kLabelLimit
                                                                     : ScrapeFaultKind::kSyntax,
                             pairs.error().message};
    return nullptr;
  }
  Labels labels = NameSeries(std::move(*pairs));
  if (Status good = CheckLabels(labels); !good) {
    reading.figures.fault = {ScrapeFaultKind::kLabelLimit, good.error().message};
    return nullptr;
  }
  auto entry = std::make_unique<Entry>();
  entry->text = text;
  entry->series = std::make_shared<telemetry::Series>(std::move(labels));
  reading.added.push_back(entry.get());
  ++reading.figures.added;
  const std::string_view key = entry->text;
  return entries_.emplace(key, std::move(entry)).first->second.get();
}

Labels ScrapeSeries::NameSeries(std::vector<Labels::Pair> pairs) const {
  const auto page_has = [&](std::string_view name) {
    return std::any_of(pairs.begin(), pairs.end(), [&](const auto& p) { return p.first == name; });
  };
  if (rules_.honor_labels) {
    // An empty label of the page counts: so a page can do without the target's.
    for (const auto& pair : target_) {
      if (!page_has(pair.first)) pairs.emplace_back(pair);
    }
    return Labels(std::move(pairs));
  }
  Labels labels(std::move(pairs));
  std::vector<Labels::Pair> clashing;
  for (const auto& [name, value] : target_) {
    if (labels.Has(name)) clashing.emplace_back(name, labels.Get(name));
    labels.Set(name, value);
  }
  // The shortest first, as in Prometheus: of `job` and `exported_job` this decides who becomes
  // what.
  std::stable_sort(clashing.begin(), clashing.end(),
                   [](const auto& a, const auto& b) { return a.first.size() < b.first.size(); });
  for (const auto& [name, value] : clashing) {
    std::string renamed = "exported_" + name;
    while (labels.Has(renamed)) renamed = "exported_" + renamed;
    labels.Set(renamed, value);
  }
  return labels;
}

Status ScrapeSeries::CheckLabels(const Labels& labels) const {
  const std::string_view metric = labels.Get(telemetry::kMetricName).substr(0, kShownBytes);
  const ScrapeLimits& limits = rules_.limits;
  if (labels.size() > limits.labels)
    return Fail(ErrorCode::kLimit, "{} has {} labels, more than label_limit = {}", metric,
                labels.size(), limits.labels);
  for (const auto& [name, value] : labels) {
    if (name.size() > limits.label_name_bytes)
      return Fail(ErrorCode::kLimit,
                  "{} has a label name of {} bytes, more than label_name_length_limit = {}", metric,
                  name.size(), limits.label_name_bytes);
    if (value.size() > limits.label_value_bytes)
      return Fail(ErrorCode::kLimit,
                  "{} has a label value of {} bytes, more than label_value_length_limit = {}",
                  metric, value.size(), limits.label_value_bytes);
  }
  return {};
}

void ScrapeSeries::Commit(Reading& reading, Samples& samples) {
  // A series may come back under another spelling: that is no end.
  std::unordered_set<Labels> added;
  for (Entry* entry : order_) {
    if (entry->round == round_) continue;
    if (added.empty()) {
      for (const Entry* fresh : reading.added) added.insert(fresh->series->labels);
    }
    if (entry->live && !added.contains(entry->series->labels))
      samples.push_back({entry->series, {reading.time_ms, telemetry::StaleMarker()}});
    entries_.erase(entries_.find(entry->text));
  }
  order_ = std::move(reading.order);
  for (std::size_t i = 0; i < order_.size(); ++i) {
    order_[i]->place = i;
    order_[i]->live = !order_[i]->timed;
  }
}

void ScrapeSeries::RollBack(Reading& reading) {
  for (const Entry* entry : reading.added) entries_.erase(entries_.find(entry->text));
}

void ScrapeSeries::EndAll(std::int64_t time_ms, Samples& samples) {
  for (Entry* entry : order_) {
    if (!std::exchange(entry->live, false)) continue;
    samples.push_back({entry->series, {time_ms, telemetry::StaleMarker()}});
  }
}

}  // namespace atalaya::alertd
