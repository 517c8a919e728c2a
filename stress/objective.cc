#include "stress/objective.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "stress/run_record.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

// What was measured; none where there is nothing to measure.
struct Measure {
  double value = 0;
  double whole = 0;  // What a share is a share of.
};

// The run, or one phase of it.
struct Scope {
  const RunRecord* run;
  const PhaseFigures* messages;
  bool is_phase;
  double seconds;
};

using Reading = std::function<std::optional<Measure>(const Scope&)>;

struct Figure {
  const char* name;
  ObjectiveUnit unit;
  Reading read;
};

double AsDouble(std::uint64_t count) { return static_cast<double>(count); }

// The longest of all faults; none where one of them never came to it.
Reading LongestOf(std::int64_t (*take)(const RunRecord&, const FaultOutcome&)) {
  return [take](const Scope& scope) -> std::optional<Measure> {
    std::int64_t longest = -1;
    for (const FaultOutcome& fault : scope.run->faults) {
      const std::int64_t ns = take(*scope.run, fault);
      if (ns < 0) return std::nullopt;
      longest = std::max(longest, ns);
    }
    if (longest < 0) return std::nullopt;
    return Measure{static_cast<double>(longest)};
  };
}

Reading Of(std::uint64_t LedgerFigures::*figure) {
  return [figure](const Scope& scope) -> std::optional<Measure> {
    const LedgerFigures& ledger = scope.run->ledger;
    return Measure{AsDouble(ledger.*figure), AsDouble(ledger.expected)};
  };
}

std::optional<Measure> Loss(const Scope& scope) {
  if (scope.is_phase) {
    const PhaseFigures& phase = *scope.messages;
    return Measure{AsDouble(phase.expected - std::min(phase.expected, phase.received)),
                   AsDouble(phase.expected)};
  }
  const LedgerFigures& ledger = scope.run->ledger;
  return Measure{AsDouble(ledger.lost()), AsDouble(ledger.expected)};
}

const std::vector<Figure>& Figures() {
  using Unit = ObjectiveUnit;
  static const std::vector<Figure> figures = {
      {"max", Unit::kTime,
       [](const Scope& scope) -> std::optional<Measure> {
         if (scope.messages->response.count() == 0) return std::nullopt;
         return Measure{static_cast<double>(scope.messages->response.max_ns())};
       }},
      {"mean", Unit::kTime,
       [](const Scope& scope) -> std::optional<Measure> {
         if (scope.messages->response.count() == 0) return std::nullopt;
         return Measure{scope.messages->response.MeanNs()};
       }},
      {"loss", Unit::kShareOrCount, Loss},
      {"duplicates", Unit::kShareOrCount, Of(&LedgerFigures::duplicated)},
      {"reordered", Unit::kShareOrCount, Of(&LedgerFigures::reordered)},
      {"corrupted", Unit::kShareOrCount, Of(&LedgerFigures::corrupted)},
      {"errors", Unit::kShareOrCount,
       [](const Scope& scope) -> std::optional<Measure> {
         return Measure{AsDouble(scope.run->FailureCount() + scope.run->totals.refused_publishes),
                        AsDouble(scope.run->totals.wanted)};
       }},
      {"rate", Unit::kRate,
       [](const Scope& scope) -> std::optional<Measure> {
         return Measure{AsDouble(scope.messages->received) / std::max(scope.seconds, 1e-9)};
       }},
      {"detect", Unit::kTime, LongestOf([](const RunRecord& run, const FaultOutcome& fault) {
         return run.DetectNs(fault);
       })},
      {"recover", Unit::kTime,
       LongestOf([](const RunRecord&, const FaultOutcome& fault) { return fault.RecoverNs(); })},
      {"false_alerts", Unit::kShareOrCount,
       [](const Scope& scope) -> std::optional<Measure> {
         if (!scope.run->alerts_note.empty()) return std::nullopt;
         return Measure{AsDouble(scope.run->FalseAlerts().size())};
       }},
  };
  return figures;
}

std::optional<double> PercentileIn(std::string_view figure) {
  if (!figure.starts_with('p')) return std::nullopt;
  figure.remove_prefix(1);
  double percent = 0;
  const auto [end, error] = std::from_chars(figure.data(), figure.data() + figure.size(), percent);
  if (error != std::errc() || end != figure.data() + figure.size() || percent <= 0 ||
      percent >= 100) {
    return std::nullopt;
  }
  return percent;
}

std::optional<Figure> FindFigure(const std::string& name) {
  for (const Figure& figure : Figures()) {
    if (name == figure.name) return figure;
  }
  const std::optional<double> percent = PercentileIn(name);
  if (!percent) return std::nullopt;
  return Figure{
      "", ObjectiveUnit::kTime, [percent = *percent](const Scope& scope) -> std::optional<Measure> {
        if (scope.messages->response.count() == 0) return std::nullopt;
        return Measure{static_cast<double>(scope.messages->response.PercentileNs(percent))};
      }};
}

std::string Trim(std::string_view text) {
  const std::size_t from = text.find_first_not_of(' ');
  if (from == std::string_view::npos) return "";
  return std::string(text.substr(from, text.find_last_not_of(' ') - from + 1));
}

Status ReadLimit(std::string_view text, ObjectiveUnit unit, Objective* objective) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::pair<const char*, double> kTimes[] = {
      {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  if (error == std::errc() && unit == ObjectiveUnit::kTime) {
    for (const auto& [suffix, factor] : kTimes) {
      if (rest != suffix) continue;
      objective->limit = value * factor;
      return {};
    }
  } else if (error == std::errc() && (rest.empty() || rest == "/s" || rest == "%")) {
    objective->share = rest == "%";
    objective->limit = objective->share ? value / 100 : value;
    if (!objective->share || unit == ObjectiveUnit::kShareOrCount) return {};
  }
  return Fail(ErrorCode::kInvalid, "\"{}\": \"{}\" is no limit (write {})", objective->text, text,
              unit == ObjectiveUnit::kTime           ? "a time as 10ms"
              : unit == ObjectiveUnit::kShareOrCount ? "a number or a share as 0.1%"
                                                     : "a number");
}

Result<Objective> ParseOne(std::string_view text) {
  Objective objective;
  objective.text = Trim(text);
  const std::size_t at = objective.text.find_first_of("<>=");
  if (at == std::string::npos) {
    return Fail(ErrorCode::kInvalid, "\"{}\" is no objective (write p99<10ms or loss=0)",
                objective.text);
  }
  objective.figure = Trim(std::string_view(objective.text).substr(0, at));
  const std::optional<Figure> figure = FindFigure(objective.figure);
  if (!figure) {
    std::vector<std::string> names = {"p50", "p99", "p99.9"};
    for (const Figure& known : Figures()) names.emplace_back(known.name);
    return Fail(ErrorCode::kInvalid, "\"{}\": there is no figure \"{}\" (write {})", objective.text,
                objective.figure, fmt::join(names, ", "));
  }
  const char first = objective.text[at];
  const bool with_equal = at + 1 < objective.text.size() && objective.text[at + 1] == '=';
  using Compare = Objective::Compare;
  objective.compare = first == '<'   ? (with_equal ? Compare::kAtMost : Compare::kBelow)
                      : first == '>' ? (with_equal ? Compare::kAtLeast : Compare::kAbove)
                                     : Compare::kEqual;
  const std::string limit =
      Trim(std::string_view(objective.text).substr(at + (with_equal ? 2 : 1)));
  if (Status good = ReadLimit(limit, figure->unit, &objective); !good) {
    return Forward(good.error());
  }
  return objective;
}

ObjectiveResult Judge(const Objective& objective, const Scope& scope, std::string name) {
  ObjectiveResult result{objective, std::move(name), "not measured", false};
  const std::optional<Figure> figure = FindFigure(objective.figure);
  const std::optional<Measure> measure = figure->read(scope);
  if (!measure) return result;
  double value = measure->value;
  if (figure->unit == ObjectiveUnit::kTime) {
    result.measured = WordLatency(static_cast<std::int64_t>(value));
  } else if (objective.share) {
    value = measure->whole > 0 ? value / measure->whole : 0;
    result.measured = fmt::format("{:.4g} %", 100 * value);
  } else {
    result.measured = WordNumber(value);
  }
  result.met = objective.Meets(value);
  return result;
}

}  // namespace

bool Objective::Meets(double value) const {
  switch (compare) {
    case Compare::kBelow:
      return value < limit;
    case Compare::kAtMost:
      return value <= limit;
    case Compare::kEqual:
      return value == limit;
    case Compare::kAtLeast:
      return value >= limit;
    case Compare::kAbove:
      return value > limit;
  }
  return false;
}

Result<std::vector<Objective>> ParseObjectives(std::string_view text) {
  std::vector<Objective> objectives;
  while (true) {
    const std::size_t comma = text.find(',');
    Result<Objective> one = ParseOne(text.substr(0, comma));
    if (!one) return Forward(one.error());
    objectives.push_back(std::move(*one));
    if (comma == std::string_view::npos) return objectives;
    text.remove_prefix(comma + 1);
  }
}

ObjectiveResult WeighOne(const Objective& objective, const RunRecord& record) {
  return Judge(objective, {&record, &record.messages, false, record.seconds()}, "");
}

std::vector<ObjectiveResult> Weigh(const RunRecord& record) {
  std::vector<ObjectiveResult> results;
  for (const Objective& objective : record.scenario.objectives) {
    results.push_back(WeighOne(objective, record));
  }
  for (std::size_t i = 0; i < record.totals.phases.size(); ++i) {
    const Phase& phase = record.scenario.phases[i];
    const double seconds = std::chrono::duration<double>(phase.duration).count();
    for (const Objective& objective : phase.objectives) {
      results.push_back(
          Judge(objective, {&record, &record.totals.phases[i], true, seconds}, phase.name));
    }
  }
  return results;
}

}  // namespace atalaya::stress
