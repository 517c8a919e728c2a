#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/series_source.h"

namespace atalaya::promql {

// A PromQL expression as a tree, from the parser or built by hand with the Make functions below;
// either way it is checked, and the two are alike. Nodes never change once made, so a tree may be
// shared by threads and evaluated as often as wanted.
// Source: the querying chapter of the Prometheus 3.x documentation.
struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

enum class ValueType { kScalar, kString, kVector, kMatrix };

// "scalar", "string", "instant vector", "range vector".
std::string_view TypeName(ValueType type);

// Where a node begins in the query's text, both from 1, columns in bytes. 0:0 where it was built by
// hand.
struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

struct Expr {
  enum class Kind : std::uint8_t {
    kNumber,
    kString,
    kSelector,
    kRange,
    kSubquery,
    kUnary,
    kBinary,
    kAggregate,
    kCall,
    kParen
  };

  virtual ~Expr() = default;

  const Kind kind;
  ValueType type;
  bool step_invariant =
      false;                // The same at every step of a range query: all times are fixed by @.
  std::uint16_t depth = 1;  // Of the tree below, itself included; at most kMaxDepth.
  Place place;

 protected:
  Expr(Kind node_kind, ValueType value_type) : kind(node_kind), type(value_type) {}
  Expr(const Expr&) = default;
};

// A deeper tree is refused, so that no query can exhaust a thread's stack.
inline constexpr int kMaxDepth = 200;

struct NumberLiteral : Expr {
  double value;
  bool is_duration;  // Written as `5m`; the value is in seconds.
  NumberLiteral(double number, bool duration)
      : Expr(Kind::kNumber, ValueType::kScalar), value(number), is_duration(duration) {}
};

struct StringLiteral : Expr {
  std::string value;
  explicit StringLiteral(std::string text)
      : Expr(Kind::kString, ValueType::kString), value(std::move(text)) {}
};

// `offset` and `@`. The time looked at is (the @ time, or else the step's) - offset_ms.
struct TimeShift {
  enum class At : std::uint8_t { kNone, kTime, kStart, kEnd };
  At at = At::kNone;
  std::int64_t at_ms = 0;  // With At::kTime.
  std::int64_t offset_ms = 0;
};

// `node_load1{job="node"} offset 5m`.
struct Selector : Expr {
  std::string name;                          // As written before the braces, or "".
  std::vector<telemetry::Matcher> matchers;  // All of them, the name's among them.
  TimeShift shift;
  Selector() : Expr(Kind::kSelector, ValueType::kVector) {}
};

// `node_load1[5m]`: the samples of (t - range, t].
struct RangeSelector : Expr {
  std::shared_ptr<const Selector> selector;
  std::int64_t range_ms = 0;
  RangeSelector() : Expr(Kind::kRange, ValueType::kMatrix) {}
};

// `rate(x[1m])[30m:10s]`.
struct Subquery : Expr {
  ExprPtr inner;
  std::int64_t range_ms = 0;
  std::int64_t step_ms = 0;  // 0: the engine's default.
  TimeShift shift;
  Subquery() : Expr(Kind::kSubquery, ValueType::kMatrix) {}
};

struct Unary : Expr {
  bool negate = false;
  ExprPtr operand;
  explicit Unary(ValueType value_type) : Expr(Kind::kUnary, value_type) {}
};

enum class BinaryOp : std::uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kUnless
};

std::string_view BinaryOpText(BinaryOp op);  // "+", "atan2", "and" ...
bool IsComparison(BinaryOp op);
bool IsSetOp(BinaryOp op);

// How the series of two vectors find each other.
struct Matching {
  enum class Group : std::uint8_t { kNone, kLeft, kRight };
  bool on = false;                   // `on (labels)`; otherwise `ignoring (labels)`.
  std::vector<std::string> labels;   // Without `on`, none means: all labels must agree.
  Group group = Group::kNone;        // group_left: many on the left.
  std::vector<std::string> include;  // group_left (include): copied from the one side.
};

struct Binary : Expr {
  BinaryOp op = BinaryOp::kAdd;
  bool return_bool = false;  // `== bool`: 0 or 1 instead of a filter.
  Matching matching;
  ExprPtr lhs;
  ExprPtr rhs;
  explicit Binary(ValueType value_type) : Expr(Kind::kBinary, value_type) {}
};

enum class AggregateOp : std::uint8_t {
  kSum,
  kAvg,
  kCount,
  kMin,
  kMax,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kCountValues,
  kQuantile
};

std::string_view AggregateOpText(AggregateOp op);

struct Aggregate : Expr {
  AggregateOp op = AggregateOp::kSum;
  ExprPtr operand;
  ExprPtr
      parameter;  // Of topk, bottomk, quantile (a scalar) and count_values (a string); else null.
  bool without = false;
  std::vector<std::string> grouping;  // `by (...)`, or with `without` set `without (...)`.
  Aggregate() : Expr(Kind::kAggregate, ValueType::kVector) {}
};

struct Function;  // promql/functions.h
class Regex;      // promql/regex.h

struct Call : Expr {
  const Function* function = nullptr;  // Never null in a tree; lives forever.
  std::vector<ExprPtr> args;
  std::shared_ptr<const Regex> regex;  // Of label_replace; null where its pattern is none.
  explicit Call(ValueType value_type) : Expr(Kind::kCall, value_type) {}
};

struct Paren : Expr {
  ExprPtr inner;
  explicit Paren(ValueType value_type) : Expr(Kind::kParen, value_type) {}
};

// Building by hand. Those that return a Result check types, argument counts and depth, and fail
// with kInvalid (kRefused for what is experimental or needs native histograms); the message has no
// place in front. Example, `avail{mountpoint="/"} / size < 0.1`:
//   ExprPtr share = *MakeBinary(BinaryOp::kDiv, MakeSelector("avail", {...}),
//   MakeSelector("size")); ExprPtr low = *MakeBinary(BinaryOp::kLess, share, MakeNumber(0.1));
ExprPtr MakeNumber(double value, Place place = {});
ExprPtr MakeDuration(double seconds, Place place = {});  // A number that prints as `5m`.
ExprPtr MakeString(std::string value, Place place = {});

// `name` may be "" where a matcher names something. Fails where every matcher would also take an
// absent label, on a regex that RE2 does not read, and where `name` and a matcher both set the
// name.
Result<ExprPtr> MakeSelector(std::string name, std::vector<telemetry::Matcher> matchers = {},
                             TimeShift shift = {}, Place place = {});
Result<ExprPtr> MakeRange(const ExprPtr& selector, std::int64_t range_ms, Place place = {});
Result<ExprPtr> MakeSubquery(ExprPtr inner, std::int64_t range_ms, std::int64_t step_ms,
                             TimeShift shift = {}, Place place = {});
Result<ExprPtr> MakeUnary(bool negate, ExprPtr operand, Place place = {});
Result<ExprPtr> MakeBinary(BinaryOp op, ExprPtr lhs, ExprPtr rhs, Matching matching = {},
                           bool return_bool = false);

struct Grouping {
  bool without = false;
  std::vector<std::string> labels;
};
Result<ExprPtr> MakeAggregate(AggregateOp op, ExprPtr operand, Grouping grouping = {},
                              ExprPtr parameter = nullptr, Place place = {});
Result<ExprPtr> MakeCall(std::string_view function, std::vector<ExprPtr> args, Place place = {});
Result<ExprPtr> MakeParen(ExprPtr inner, Place place = {});

// The expression as PromQL text in Prometheus's own layout; parsing it gives an equal tree.
// Parentheses that the tree needs and lacks are added.
std::string ToString(const Expr& expr);

}  // namespace atalaya::promql
