#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "promql/engine.h"
#include "promql/test_series.h"

namespace atalaya::promql {

// One `eval` of a promqltest file with what it expects.
struct TestEval {
  int line = 0;
  std::string query;
  bool range = false;
  std::int64_t from_ms = 0;  // The time of an instant evaluation.
  std::int64_t to_ms = 0;
  std::int64_t step_ms = 1;

  // A word that a failure or an annotation must have: all of it, or a regular expression in it.
  struct Pattern {
    std::string text;
    bool regex = false;
  };
  bool fails = false;
  bool ordered = false;
  bool warns = false;
  bool no_warning = false;
  bool informs = false;
  bool no_info = false;
  std::vector<Pattern> failure;
  std::vector<Pattern> warnings;
  std::vector<Pattern> infos;

  std::optional<double> scalar;
  std::optional<std::string> text;
  struct Steps {
    std::int64_t from_ms = 0;
    std::int64_t to_ms = 0;
    std::int64_t step_ms = 1;
  };
  std::optional<Steps> range_vector;
  std::vector<TestSeries> series;

  bool ExpectsHistograms() const;
};

// Reads the line that begins an evaluation, and a line below it. kInvalid without a place.
Result<TestEval> ParseTestEval(std::string_view line);
Status ParseExpectation(std::string_view line, TestEval* eval);

// Compares a result, or the error instead of one, with what is expected; the error says what
// differs.
Status CheckResult(const TestEval& eval, const Result<QueryResult>& result);
// Compares only the values; those of an instant evaluation may come from a range's step.
Status CheckValue(const TestEval& eval, const Value& value);

// "5m" or a number of seconds, in milliseconds.
Result<std::int64_t> ParseTestTime(std::string_view text);

}  // namespace atalaya::promql
