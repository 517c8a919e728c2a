#include "alertd/commands/unmatched.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "alertd/commands/api_question.h"
#include "alertd/rules/selectors.h"
#include "base/clock.h"

namespace atalaya::alertd {
namespace {

constexpr std::int64_t kSeenWithinS = 86'400;
constexpr std::size_t kMaxAsked = 2'000;  // Selectors, each once; the rest is taken for good.

// Whether the server knows a series for each selector that it was asked about.
class KnownSeries {
 public:
  explicit KnownSeries(const Config& config)
      : server_{"http://" + config.http.listen.ToString(), config.http.token},
        start_s_(SystemClock().NowMs() / 1000 - kSeenWithinS) {}

  Result<bool> Match(const std::string& selector) {
    const auto known = known_.find(selector);
    if (known != known_.end()) return known->second;
    if (known_.size() >= kMaxAsked) return true;
    const auto answer =
        AskApi(server_, "/api/v1/series",
               {{"match[]", selector}, {"start", std::to_string(start_s_)}, {"limit", "1"}});
    if (!answer) return Forward(answer.error());
    return known_[selector] = !nlohmann::json::parse(*answer).at("data").empty();
  }

 private:
  const ApiServer server_;
  const std::int64_t start_s_;
  std::map<std::string, bool> known_;
};

// The selector as it is written, without `offset` and `@`.
Result<promql::ExprPtr> WithoutShift(const promql::Selector& selector) {
  std::vector<telemetry::Matcher> matchers = selector.matchers;
  if (!selector.name.empty())  // Which stands among the matchers as well.
    std::erase_if(matchers, [](const auto& each) { return each.name == telemetry::kMetricName; });
  return promql::MakeSelector(selector.name, std::move(matchers));
}

// The selectors of one rule that match nothing, each once.
Result<std::set<std::string>> UnmatchedOf(const Rule& rule, const std::set<std::string>& written,
                                          KnownSeries& known) {
  std::set<std::string> unmatched;
  for (const promql::Selector* selector : SelectorsOf(rule.expr)) {
    if (written.contains(MetricOf(*selector))) continue;
    const Result<promql::ExprPtr> plain = WithoutShift(*selector);
    if (!plain) continue;
    std::string text = promql::ToString(**plain);
    const Result<bool> matches = known.Match(text);
    if (!matches) return Forward(matches.error());
    if (!*matches) unmatched.insert(std::move(text));
  }
  return unmatched;
}

}  // namespace

std::string DescribeUnmatched(const Config& config) {
  if (config.http.listen.port == 0 || config.rules.list.empty()) return "";
  std::set<std::string> written = {"ALERTS", "ALERTS_FOR_STATE"};
  for (const Rule& rule : config.rules.list) {
    if (rule.IsRecording()) written.insert(rule.record);
  }
  KnownSeries known(config);
  std::string lines;
  for (const Rule& rule : config.rules.list) {
    if (rule.sight) continue;
    const auto unmatched = UnmatchedOf(rule, written, known);
    if (!unmatched)
      return fmt::format("whether the rules' series exist was not looked up: {}\n",
                         unmatched.error().message);
    for (const std::string& selector : *unmatched)
      lines += fmt::format("{}: warning: \"{}\": no series matches {}\n", rule.place.ToString(),
                           rule.Name(), selector);
  }
  return lines;
}

}  // namespace atalaya::alertd
