#include "promql/testfile.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/file.h"
#include "promql/engine.h"
#include "promql/memory_source.h"
#include "promql/parser.h"
#include "promql/test_eval.h"
#include "promql/test_series.h"

namespace atalaya::promql {
namespace {

using telemetry::LabelledSample;
using telemetry::Labels;
using telemetry::SeriesSamples;

constexpr std::int64_t kMinuteMs = 60'000;

// The loaded series. Native histograms, which the engine does not read, are known by name and time
// only, so that an evaluation that would have met one is skipped and no other.
class TestStorage : public telemetry::SeriesSource {
 public:
  void Add(const TestSeries& series, std::int64_t step_ms) {
    for (std::size_t i = 0; i < series.items.size(); ++i) {
      const std::int64_t time_ms = step_ms * static_cast<std::int64_t>(i);
      const TestSeries::Item& item = series.items[i];
      if (item.kind == TestSeries::Kind::kFloat) floats_.Add(series.labels, {time_ms, item.value});
      if (item.kind == TestSeries::Kind::kHistogram) histograms_.Add(series.labels, {time_ms, 0});
    }
  }

  // Besides the classic buckets the native histogram that load_with_nhcb makes of them.
  void AddConverted(const TestSeries& series, std::int64_t step_ms) {
    const std::string name(series.labels.Get(telemetry::kMetricName));
    for (const std::string_view suffix : {"_bucket", "_count", "_sum"}) {
      if (!name.ends_with(suffix)) continue;
      TestSeries converted = series;
      converted.labels.Set(telemetry::kMetricName, name.substr(0, name.size() - suffix.size()));
      converted.labels.Remove("le");
      for (TestSeries::Item& item : converted.items) item.kind = TestSeries::Kind::kHistogram;
      Add(converted, step_ms);
    }
  }

  void Clear() {
    floats_.Clear();
    histograms_.Clear();
  }

  Result<std::vector<SeriesSamples>> Select(
      const telemetry::SelectRequest& request) const override {
    Result<std::vector<SeriesSamples>> histograms = histograms_.Select(request);
    if (histograms && !histograms->empty()) met_histogram_ = true;
    return floats_.Select(request);
  }

  // Whether a Select since the last call met a native histogram.
  bool TakeMetHistogram() const { return std::exchange(met_histogram_, false); }

 private:
  MemorySource floats_;
  MemorySource histograms_;
  mutable bool met_histogram_ = false;
};

class TestFile {
 public:
  TestFile(std::string_view text, const std::string& name) {
    Split(text);
    report_.name = name;
  }

  TestFileReport Run() {
    while (next_ < lines_.size()) {
      const std::string& line = lines_[next_];
      const int number = static_cast<int>(++next_);
      at_ = number;
      if (line.empty()) continue;
      Status done;
      if (line == "clear") {
        storage_.Clear();
      } else if (line.starts_with("load")) {
        done = Load(line);
      } else {
        done = Eval(line, number);
      }
      if (!done) SkipBlock(done.error());
    }
    return std::move(report_);
  }

 private:
  // Lines without blanks at the ends; a comment is an empty line.
  void Split(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      const std::size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
      line.remove_prefix(begin);
      line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
      lines_.emplace_back(line.starts_with('#') ? "" : line);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  // What is not in the format is a failure, and the rest of its block is passed over.
  void SkipBlock(const Error& fault) {
    report_.failures.push_back({fmt::format("{}:{}", report_.name, at_), fault.message});
    while (next_ < lines_.size() && !lines_[next_].empty()) ++next_;
  }

  Status Load(std::string_view line) {
    const std::size_t blank = line.find_first_of(" \t");
    const std::string_view command = line.substr(0, blank);
    const bool convert = command == "load_with_nhcb";
    if ((command != "load" && !convert) || blank == std::string_view::npos) {
      return Fail(ErrorCode::kInvalid, "write: load STEP");
    }
    const std::size_t begin = line.find_first_not_of(" \t", blank);
    Result<std::int64_t> step_ms = ParseTestTime(line.substr(begin));
    if (!step_ms) return Forward(step_ms.error());
    // Of a series that stands twice in a block, the last line counts.
    std::map<Labels, TestSeries> block;
    for (; next_ < lines_.size() && !lines_[next_].empty(); ++next_) {
      at_ = static_cast<int>(next_) + 1;
      Result<TestSeries> series = ParseTestSeries(lines_[next_]);
      if (!series) return Forward(series.error());
      loaded_ += series->items.size();
      if (loaded_ > kMaxTestItems) {
        return Fail(ErrorCode::kLimit, "the file loads more than {} values", kMaxTestItems);
      }
      block[series->labels] = std::move(*series);
    }
    for (const auto& [labels, series] : block) {
      storage_.Add(series, *step_ms);
      if (convert) storage_.AddConverted(series, *step_ms);
    }
    return {};
  }

  Status Eval(std::string_view line, int number) {
    Result<TestEval> eval = ParseTestEval(line);
    if (!eval) return Forward(eval.error());
    eval->line = number;
    for (; next_ < lines_.size() && !lines_[next_].empty(); ++next_) {
      at_ = static_cast<int>(next_) + 1;
      if (Status read = ParseExpectation(lines_[next_], &*eval); !read) return read;
    }
    RunEval(*eval);
    return {};
  }

  void RunEval(const TestEval& eval) {
    storage_.TakeMetHistogram();
    Result<ExprPtr> expr = Parse(eval.query);
    Result<QueryResult> result =
        expr ? Evaluate(eval, *expr) : Result<QueryResult>(Forward(expr.error()));
    if (!result && result.error().code == ErrorCode::kRefused) {
      return Note(&report_.skips, eval, result.error().message);
    }
    if (storage_.TakeMetHistogram() || eval.ExpectsHistograms()) {
      return Note(&report_.skips, eval, "needs native histograms, which are not supported");
    }
    Status good = CheckResult(eval, result);
    if (good && result && !eval.range && !eval.fails) good = CheckInRange(eval, *expr, *result);
    if (!good) return Note(&report_.failures, eval, good.error().message);
    ++report_.passed;
  }

  Result<QueryResult> Evaluate(const TestEval& eval, const ExprPtr& expr) const {
    if (!eval.range) return engine_.EvaluateInstant(expr, eval.from_ms);
    return engine_.EvaluateRange(expr, eval.from_ms, eval.to_ms, eval.step_ms);
  }

  // The same query over three minutes must have the same values in the middle.
  Status CheckInRange(const TestEval& eval, const ExprPtr& expr, const QueryResult& instant) {
    const bool scalar = std::holds_alternative<telemetry::Sample>(instant.value);
    const bool vector = std::holds_alternative<std::vector<LabelledSample>>(instant.value);
    if (!scalar && !vector) return {};
    const Result<QueryResult> result =
        engine_.EvaluateRange(expr, eval.from_ms - kMinuteMs, eval.from_ms + kMinuteMs, kMinuteMs);
    if (storage_.TakeMetHistogram()) return {};
    if (!result) return Fail(ErrorCode::kInvalid, "failed as a range: {}", result.error().message);
    if (eval.ordered) return {};
    std::vector<LabelledSample> middle;
    for (const SeriesSamples& series : std::get<std::vector<SeriesSamples>>(result->value)) {
      for (const telemetry::Sample& sample : series.samples) {
        if (sample.time_ms == eval.from_ms) middle.push_back({series.labels, sample});
      }
    }
    const Status good = scalar && middle.size() == 1 ? CheckValue(eval, middle[0].sample)
                                                     : CheckValue(eval, std::move(middle));
    if (good) return {};
    return Fail(ErrorCode::kInvalid, "as a range: {}", good.error().message);
  }

  void Note(std::vector<TestFileNote>* notes, const TestEval& eval, const std::string& message) {
    notes->push_back({fmt::format("{}:{}", report_.name, eval.line),
                      fmt::format("{}: {}", eval.query, message)});
  }

  std::vector<std::string> lines_;
  std::size_t next_ = 0;
  int at_ = 0;              // The line being read, from 1: for errors.
  std::size_t loaded_ = 0;  // Values, of all series.
  TestStorage storage_;
  const Engine engine_{storage_, {.delayed_name_removal = true}};
  TestFileReport report_;
};

}  // namespace

Result<TestFileReport> RunTestFile(const std::filesystem::path& path) {
  Result<std::string> text = ReadFile(path);
  if (!text) return Forward(text.error());
  return RunTestText(*text, path.filename().string());
}

TestFileReport RunTestText(std::string_view text, const std::string& name) {
  return TestFile(text, name).Run();
}

}  // namespace atalaya::promql
