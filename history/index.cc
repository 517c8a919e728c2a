#include "history/index.h"

#include <re2/re2.h>

#include <algorithm>
#include <functional>
#include <memory>

namespace atalaya::history {
namespace {

using telemetry::Labels;
using telemetry::Matcher;

void Insert(std::vector<SeriesId>& ids, SeriesId id) {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  if (at == ids.end() || *at != id) ids.insert(at, id);
}

void Erase(std::vector<SeriesId>& ids, SeriesId id) {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  if (at != ids.end() && *at == id) ids.erase(at);
}

using Test = std::function<bool(std::string_view)>;

// What `matcher` asks of a value, without its "not".
Result<Test> TestOf(const Matcher& matcher) {
  if (matcher.kind == Matcher::Kind::kEqual || matcher.kind == Matcher::Kind::kNotEqual) {
    return Test([&matcher](std::string_view value) { return value == matcher.value; });
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);  // As Prometheus's patterns.
  auto pattern = std::make_shared<RE2>(matcher.value, options);
  if (!pattern->ok()) {
    return Fail(ErrorCode::kInvalid, "{}: \"{}\" is not a regular expression: {}", matcher.name,
                matcher.value, pattern->error());
  }
  return Test([pattern](std::string_view value) {
    return RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *pattern);
  });
}

}  // namespace

void LabelIndex::Add(SeriesId id, const Labels& labels) {
  for (const auto& [name, value] : labels)
    Insert(postings_[std::string(name)][std::string(value)], id);
  Insert(all_, id);
}

void LabelIndex::Remove(SeriesId id, const Labels& labels) {
  for (const auto& [name, value] : labels) {
    const auto values = postings_.find(name);
    if (values == postings_.end()) continue;
    const auto ids = values->second.find(value);
    if (ids == values->second.end()) continue;
    Erase(ids->second, id);
    if (ids->second.empty()) values->second.erase(ids);
    if (values->second.empty()) postings_.erase(values);
  }
  Erase(all_, id);
}

// The series whose label passes the matcher's test without its "not"; where "" passes it too, the
// others are given and `inverted` is set, because series without the label belong to the answer.
Result<LabelIndex::Ids> LabelIndex::Matching(const Matcher& matcher, bool& inverted) const {
  const Result<Test> test = TestOf(matcher);
  if (!test) return Forward(test.error());
  inverted = (*test)("");
  Ids ids;
  const auto values = postings_.find(matcher.name);
  if (values == postings_.end()) return ids;
  if (matcher.kind == Matcher::Kind::kEqual && !inverted) {
    const auto exact = values->second.find(matcher.value);
    return exact == values->second.end() ? ids : exact->second;
  }
  for (const auto& [value, carriers] : values->second) {
    if ((*test)(value) != inverted) ids.insert(ids.end(), carriers.begin(), carriers.end());
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Result<std::vector<SeriesId>> LabelIndex::Find(const std::vector<Matcher>& matchers) const {
  std::vector<Ids> wanted;
  std::vector<Ids> unwanted;
  for (const Matcher& matcher : matchers) {
    bool inverted = false;
    Result<Ids> ids = Matching(matcher, inverted);
    if (!ids) return Forward(ids.error());
    const bool negated =
        matcher.kind == Matcher::Kind::kNotEqual || matcher.kind == Matcher::Kind::kNotRegex;
    (negated == inverted ? wanted : unwanted).push_back(std::move(*ids));
  }
  std::sort(wanted.begin(), wanted.end(),
            [](const Ids& a, const Ids& b) { return a.size() < b.size(); });
  Ids result = wanted.empty() ? all_ : std::move(wanted.front());
  Ids next;
  for (std::size_t i = 1; i < wanted.size(); ++i) {
    next.clear();
    std::set_intersection(result.begin(), result.end(), wanted[i].begin(), wanted[i].end(),
                          std::back_inserter(next));
    result.swap(next);
  }
  for (const Ids& ids : unwanted) {
    next.clear();
    std::set_difference(result.begin(), result.end(), ids.begin(), ids.end(),
                        std::back_inserter(next));
    result.swap(next);
  }
  return result;
}

}  // namespace atalaya::history
