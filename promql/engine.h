#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "promql/ast.h"
#include "telemetry/series_source.h"

namespace atalaya::promql {

struct EngineOptions {
  std::int64_t lookback_ms = 300'000;      // How old the sample of an instant selector may be.
  std::int64_t subquery_step_ms = 60'000;  // Of a subquery that names none.
  std::uint64_t max_samples = 50'000'000;  // Samples that one query may read or make, all nodes.
  std::uint64_t max_samples_together = 100'000'000;  // By all queries of the engine at one time.
  std::uint64_t max_series = 200'000;                // Series in any one vector.
  std::chrono::milliseconds timeout{120'000};        // Of one query.
  // Prometheus's experimental feature of that name, with which its own test files are written: a
  // name that an operation drops stays until the end, so that label_replace and by (__name__) see
  // it.
  bool delayed_name_removal = false;
  const Clock* clock = &SystemClock();  // For the timeout.
};

// What one query asks for besides its expression.
struct QueryOptions {
  std::optional<std::int64_t> lookback_ms;           // Instead of the engine's; above 0.
  std::optional<std::chrono::milliseconds> timeout;  // Where it is shorter than the engine's.
  // Asked now and then on the thread that evaluates; once it says true, the query ends.
  std::function<bool()> cancelled;
};

// What a query yields: a scalar, a string, an instant vector or a matrix.
using Value = std::variant<telemetry::Sample, std::string, std::vector<telemetry::LabelledSample>,
                           std::vector<telemetry::SeriesSamples>>;

struct QueryResult {
  Value value;
  // Prometheus's annotations, each once: `PromQL warning: ... (1:20)`, `PromQL info: ... (1:6)`.
  std::vector<std::string> warnings;
  std::vector<std::string> infos;
  std::uint64_t samples = 0;  // Read or made, as max_samples counts them.
};

// Evaluates expressions over a source of series, with the semantics of Prometheus 3.x for floats:
// left-open windows, 5 minutes of lookback, stale markers end a series.
//
// Failures: kInvalid where the expression cannot be evaluated (many-to-many matching, duplicate
// label sets, ...), kLimit with the name of the limit (`max_samples`, `max_samples_together`,
// `max_series`), kTimeout for `timeout` and for a cancelled query, and whatever the source fails
// with.
//
// Threads: any, several at once; one with half a MiB of stack takes every query, one with less
// refuses the deepest with kLimit. Blocks as long as the source does. A cancelled query ends within
// some ten thousand samples' work.
class Engine {
 public:
  explicit Engine(const telemetry::SeriesSource& source, EngineOptions options = {});

  // The value at one time, whatever type the expression has. A vector is in the order that the
  // expression gives it (sort, topk); the order is the same each time.
  Result<QueryResult> EvaluateInstant(const ExprPtr& expr, std::int64_t time_ms,
                                      const QueryOptions& query = {}) const;

  // The value at from_ms, from_ms + step_ms, ... up to to_ms: always a matrix, sorted by labels.
  // kInvalid where step_ms <= 0, to_ms < from_ms, or the expression is a string or a range vector.
  Result<QueryResult> EvaluateRange(const ExprPtr& expr, std::int64_t from_ms, std::int64_t to_ms,
                                    std::int64_t step_ms, const QueryOptions& query = {}) const;

 private:
  const telemetry::SeriesSource& source_;
  const EngineOptions options_;
  mutable std::atomic<std::uint64_t> samples_{0};  // Of the queries under way.
};

}  // namespace atalaya::promql
