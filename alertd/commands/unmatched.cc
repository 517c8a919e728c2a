#include "alertd/commands/unmatched.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "alertd/commands/api_question.h"
#include "alertd/rules/selectors.h"
#include "base/clock.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMaxAsked = 2'000;  // Selectors, each once; the rest is taken for good.

// Whether the server knows a series for each selector that it was asked about.
class KnownSeries {
 public:
  explicit KnownSeries(const Config& config)
      : server_{"http://" + config.http.listen.ToString(), config.http.token},
        start_s_(SystemClock().NowMs() / 1000 - std::chrono::seconds(kSeriesSeenWithin).count()) {}

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
    for (const PlainSelector& selector : OutsideSelectors(rule, written)) {
      const Result<bool> matches = known.Match(selector.text);
      if (!matches)
        return fmt::format("whether the rules' series exist was not looked up: {}\n",
                           matches.error().message);
      if (*matches) continue;
      lines += fmt::format("{}: warning: \"{}\": no series matches {}\n", rule.place.ToString(),
                           rule.Name(), selector.text);
    }
  }
  return lines;
}

}  // namespace atalaya::alertd
