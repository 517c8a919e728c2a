#include "promql/test_eval.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "promql/lexer.h"
#include "promql/number_text.h"
#include "telemetry/sample.h"

namespace atalaya::promql {
namespace {

using telemetry::LabelledSample;
using telemetry::Labels;
using telemetry::Sample;
using telemetry::SeriesSamples;

constexpr double kTolerance = 1e-6;  // Relative, as in Prometheus's own runner.

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// The first word; `text` is left behind it.
std::string_view TakeWord(std::string_view* text) {
  *text = Trimmed(*text);
  const std::size_t end = std::min(text->find_first_of(" \t"), text->size());
  const std::string_view word = text->substr(0, end);
  *text = Trimmed(text->substr(end));
  return word;
}

Status TakeTime(std::string_view* text, std::string_view keyword, std::int64_t* ms) {
  if (TakeWord(text) != keyword) return Fail(ErrorCode::kInvalid, "expected \"{}\"", keyword);
  Result<std::int64_t> time = ParseTestTime(TakeWord(text));
  if (!time) return Forward(time.error());
  *ms = *time;
  return {};
}

std::optional<double> WholeNumber(std::string_view line) {
  const bool negative = line.starts_with('-');
  if (negative || line.starts_with('+')) line.remove_prefix(1);
  const auto number = ParseNumberText(line);
  if (!number || number->is_duration) return std::nullopt;
  return negative ? -number->value : number->value;
}

bool Near(double expected, double actual) {
  if (telemetry::IsStaleMarker(expected) || telemetry::IsStaleMarker(actual)) {
    return telemetry::IsStaleMarker(expected) && telemetry::IsStaleMarker(actual);
  }
  if (std::isnan(expected) || std::isnan(actual)) return std::isnan(expected) && std::isnan(actual);
  if (expected == actual) return true;
  const double least = std::numeric_limits<double>::min();
  const double size = std::fabs(expected) + std::fabs(actual);
  const double difference = std::fabs(expected - actual);
  if (expected == 0 || actual == 0 || size < least) return difference < kTolerance * least;
  return difference / std::min(size, std::numeric_limits<double>::max()) < kTolerance;
}

bool Matches(const TestEval::Pattern& pattern, const std::string& text) {
  return pattern.regex ? re2::RE2::PartialMatch(text, pattern.text) : text == pattern.text;
}

// Each pattern must be met, and where there are patterns, nothing else may come.
Status CheckPatterns(const std::vector<TestEval::Pattern>& patterns,
                     const std::vector<std::string>& actual, std::string_view what) {
  for (const TestEval::Pattern& pattern : patterns) {
    const bool found = std::any_of(actual.begin(), actual.end(),
                                   [&](const std::string& text) { return Matches(pattern, text); });
    if (found) continue;
    return Fail(ErrorCode::kInvalid, "expected the {} {}, got {}", what, QuotedText(pattern.text),
                actual.empty() ? "none" : QuotedText(actual.front()));
  }
  for (const std::string& text : actual) {
    const bool expected = patterns.empty() ||
                          std::any_of(patterns.begin(), patterns.end(),
                                      [&](const auto& pattern) { return Matches(pattern, text); });
    if (!expected) return Fail(ErrorCode::kInvalid, "unexpected {} {}", what, QuotedText(text));
  }
  return {};
}

Status CheckAnnotations(const TestEval& eval, const QueryResult& result) {
  if (eval.warns && result.warnings.empty()) return Fail(ErrorCode::kInvalid, "expected a warning");
  if (eval.informs && result.infos.empty()) return Fail(ErrorCode::kInvalid, "expected an info");
  if (eval.no_warning && !result.warnings.empty()) {
    return Fail(ErrorCode::kInvalid, "unexpected warning: {}", result.warnings.front());
  }
  if (eval.no_info && !result.infos.empty()) {
    return Fail(ErrorCode::kInvalid, "unexpected info: {}", result.infos.front());
  }
  if (Status good = CheckPatterns(eval.warnings, result.warnings, "warning"); !good) return good;
  return CheckPatterns(eval.infos, result.infos, "info");
}

Status CheckVector(const TestEval& eval, const std::vector<LabelledSample>& vector) {
  std::map<Labels, double> actual;
  for (const LabelledSample& one : vector) {
    if (!actual.emplace(one.labels, one.sample.value).second) {
      return Fail(ErrorCode::kInvalid, "{} comes twice", one.labels.ToString());
    }
  }
  for (std::size_t i = 0; i < eval.series.size(); ++i) {
    const TestSeries& expected = eval.series[i];
    const auto it = actual.find(expected.labels);
    if (it == actual.end()) {
      return Fail(ErrorCode::kInvalid, "{} is missing", expected.labels.ToString());
    }
    const double value = expected.items.empty() ? 0 : expected.items[0].value;
    if (!Near(value, it->second)) {
      return Fail(ErrorCode::kInvalid, "{} is {}, expected {}", expected.labels.ToString(),
                  LiteralText(it->second), LiteralText(value));
    }
    if (eval.ordered && vector[std::min(i, vector.size() - 1)].labels != expected.labels) {
      return Fail(ErrorCode::kInvalid, "{} is not in its place", expected.labels.ToString());
    }
    actual.erase(it);
  }
  if (actual.empty()) return {};
  return Fail(ErrorCode::kInvalid, "unexpected {} = {}", actual.begin()->first.ToString(),
              LiteralText(actual.begin()->second));
}

std::vector<Sample> ExpectedSamples(const TestSeries& series, std::int64_t from_ms,
                                    std::int64_t step_ms) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < series.items.size(); ++i) {
    if (series.items[i].kind != TestSeries::Kind::kFloat) continue;
    samples.push_back({from_ms + step_ms * static_cast<std::int64_t>(i), series.items[i].value});
  }
  return samples;
}

std::string SamplesText(const std::vector<Sample>& samples) {
  std::string text;
  for (const Sample& sample : samples) {
    text += fmt::format(" {}@{}", LiteralText(sample.value), sample.time_ms);
  }
  return text;
}

Status CheckMatrix(const TestEval& eval, const std::vector<SeriesSamples>& matrix) {
  const TestEval::Steps steps =
      eval.range_vector.value_or(TestEval::Steps{eval.from_ms, eval.to_ms, eval.step_ms});
  std::map<Labels, const SeriesSamples*> actual;
  for (const SeriesSamples& one : matrix) {
    if (!actual.emplace(one.labels, &one).second) {
      return Fail(ErrorCode::kInvalid, "{} comes twice", one.labels.ToString());
    }
  }
  for (const TestSeries& series : eval.series) {
    const std::vector<Sample> expected = ExpectedSamples(series, steps.from_ms, steps.step_ms);
    const auto it = actual.find(series.labels);
    if (it == actual.end()) {
      if (expected.empty()) continue;
      return Fail(ErrorCode::kInvalid, "{} is missing", series.labels.ToString());
    }
    const std::vector<Sample>& samples = it->second->samples;
    const bool equal = std::equal(samples.begin(), samples.end(), expected.begin(), expected.end(),
                                  [](const Sample& a, const Sample& b) {
                                    return a.time_ms == b.time_ms && Near(b.value, a.value);
                                  });
    if (!equal) {
      return Fail(ErrorCode::kInvalid, "{} is{}, expected{}", series.labels.ToString(),
                  SamplesText(samples), SamplesText(expected));
    }
    actual.erase(it);
  }
  if (actual.empty()) return {};
  return Fail(ErrorCode::kInvalid, "unexpected {}{}", actual.begin()->first.ToString(),
              SamplesText(actual.begin()->second->samples));
}

// `expect range vector from X to Y step Z`, after the word "vector".
Status ParseRangeVector(std::string_view rest, TestEval* eval) {
  TestEval::Steps steps;
  if (Status read = TakeTime(&rest, "from", &steps.from_ms); !read) return read;
  if (Status read = TakeTime(&rest, "to", &steps.to_ms); !read) return read;
  if (Status read = TakeTime(&rest, "step", &steps.step_ms); !read) return read;
  eval->range_vector = steps;
  return {};
}

Status ParsePattern(std::string_view rest, std::vector<TestEval::Pattern>* patterns) {
  if (rest.empty()) {
    patterns->push_back({"", true});  // Any will do.
    return {};
  }
  const bool regex = rest.starts_with("regex:");
  if (!regex && !rest.starts_with("msg:")) {
    return Fail(ErrorCode::kInvalid, "expected \"msg:\" or \"regex:\"");
  }
  const std::string text(Trimmed(rest.substr(regex ? 6 : 4)));
  patterns->push_back({text, regex});
  return {};
}

Status ParseExpect(std::string_view rest, TestEval* eval) {
  const std::string_view what = TakeWord(&rest);
  if (what == "ordered") {
    eval->ordered = true;
    return {};
  }
  if (what == "no_warn" || what == "no_info") {
    (what == "no_warn" ? eval->no_warning : eval->no_info) = true;
    return {};
  }
  if (what == "fail") {
    eval->fails = true;
    return ParsePattern(rest, &eval->failure);
  }
  if (what == "warn") {
    eval->warns = true;
    return ParsePattern(rest, &eval->warnings);
  }
  if (what == "info") {
    eval->informs = true;
    return ParsePattern(rest, &eval->infos);
  }
  if (what == "string" && !rest.empty()) {
    std::size_t position = 0;
    Result<std::string> text = ReadStringLiteral(rest, &position);
    if (!text) return Forward(text.error());
    eval->text = std::move(*text);
    return {};
  }
  if (what == "range" && TakeWord(&rest) == "vector") return ParseRangeVector(rest, eval);
  return Fail(ErrorCode::kInvalid, "\"{}\" is nothing to expect", what);
}

}  // namespace

bool TestEval::ExpectsHistograms() const {
  return std::any_of(series.begin(), series.end(), [](const TestSeries& one) {
    return std::any_of(one.items.begin(), one.items.end(), [](const TestSeries::Item& item) {
      return item.kind == TestSeries::Kind::kHistogram;
    });
  });
}

Result<std::int64_t> ParseTestTime(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto number = ParseNumberText(text);
  if (!number || !(std::fabs(number->value) < 1e12)) {
    return Fail(ErrorCode::kInvalid, "\"{}\" is not a time (write 50m or 30s)", text);
  }
  const auto ms = static_cast<std::int64_t>(std::llround(number->value * 1000));
  return negative ? -ms : ms;
}

Result<TestEval> ParseTestEval(std::string_view line) {
  TestEval eval;
  const std::string_view command = TakeWord(&line);
  eval.fails = command == "eval_fail";
  eval.warns = command == "eval_warn";
  eval.informs = command == "eval_info";
  eval.ordered = command == "eval_ordered";
  if (command != "eval" && !eval.fails && !eval.warns && !eval.informs && !eval.ordered) {
    return Fail(ErrorCode::kInvalid, "\"{}\" is no command (write load, clear or eval)", command);
  }
  const std::string_view kind = TakeWord(&line);
  if (kind == "instant") {
    if (line.starts_with("at ") || line.starts_with("at\t")) {  // Without it: at 0.
      if (Status read = TakeTime(&line, "at", &eval.from_ms); !read) return Forward(read.error());
    }
    eval.to_ms = eval.from_ms;
  } else if (kind == "range") {
    eval.range = true;
    if (Status read = TakeTime(&line, "from", &eval.from_ms); !read) return Forward(read.error());
    if (Status read = TakeTime(&line, "to", &eval.to_ms); !read) return Forward(read.error());
    if (Status read = TakeTime(&line, "step", &eval.step_ms); !read) return Forward(read.error());
  } else {
    return Fail(ErrorCode::kInvalid, "expected \"instant\" or \"range\" after {}", command);
  }
  if (line.empty()) return Fail(ErrorCode::kInvalid, "the expression is missing");
  eval.query = line;
  return eval;
}

Status ParseExpectation(std::string_view line, TestEval* eval) {
  line = Trimmed(line);
  std::string_view rest = line;
  const std::string_view first = TakeWord(&rest);
  if (first == "expect") return ParseExpect(rest, eval);
  if (first == "expected_fail_message" || first == "expected_fail_regexp") {
    eval->failure.push_back({std::string(rest), first == "expected_fail_regexp"});
    return {};
  }
  if (const auto number = WholeNumber(line)) {
    eval->scalar = *number;
    return {};
  }
  Result<TestSeries> series = ParseTestSeries(line);
  if (!series) return Forward(series.error());
  eval->series.push_back(std::move(*series));
  return {};
}

Status CheckValue(const TestEval& eval, const Value& value) {
  if (const auto* scalar = std::get_if<Sample>(&value)) {
    if (!eval.scalar) {
      return Fail(ErrorCode::kInvalid, "unexpected scalar {}", LiteralText(scalar->value));
    }
    if (Near(*eval.scalar, scalar->value)) return {};
    return Fail(ErrorCode::kInvalid, "got {}, expected {}", LiteralText(scalar->value),
                LiteralText(*eval.scalar));
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (eval.text == *text) return {};
    return Fail(ErrorCode::kInvalid, "got the string {}", QuotedText(*text));
  }
  if (eval.scalar || eval.text) return Fail(ErrorCode::kInvalid, "got a vector or matrix");
  if (const auto* vector = std::get_if<std::vector<LabelledSample>>(&value)) {
    return CheckVector(eval, *vector);
  }
  if (!eval.range && !eval.range_vector) {
    return Fail(ErrorCode::kInvalid, "got a range vector, which no line expects");
  }
  return CheckMatrix(eval, std::get<std::vector<SeriesSamples>>(value));
}

Status CheckResult(const TestEval& eval, const Result<QueryResult>& result) {
  if (eval.fails) {
    if (result) return Fail(ErrorCode::kInvalid, "expected to fail, and did not");
    return CheckPatterns(eval.failure, {result.error().message}, "failure");
  }
  if (!result) return Fail(ErrorCode::kInvalid, "failed: {}", result.error().message);
  if (Status good = CheckAnnotations(eval, *result); !good) return good;
  return CheckValue(eval, result->value);
}

}  // namespace atalaya::promql
