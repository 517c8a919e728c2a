#include "promql/parser.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "promql/functions.h"
#include "promql/lexer.h"
#include "promql/number_text.h"
#include "promql/stack_guard.h"
#include "telemetry/utf8.h"

namespace atalaya::promql {
namespace {

using telemetry::Matcher;

constexpr double kMaxDurationSeconds =
    9.2e9;  // What Go's time.Duration can hold, as in Prometheus.

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

struct OperatorInfo {
  std::string_view text;
  BinaryOp op;
  int precedence;  // Higher binds tighter.
};

constexpr int kMultiplication = 5;
constexpr int kPower = 6;

constexpr std::array<OperatorInfo, 16> kOperators = {{{"or", BinaryOp::kOr, 1},
                                                      {"and", BinaryOp::kAnd, 2},
                                                      {"unless", BinaryOp::kUnless, 2},
                                                      {"==", BinaryOp::kEqual, 3},
                                                      {"!=", BinaryOp::kNotEqual, 3},
                                                      {"<", BinaryOp::kLess, 3},
                                                      {"<=", BinaryOp::kLessEqual, 3},
                                                      {">", BinaryOp::kGreater, 3},
                                                      {">=", BinaryOp::kGreaterEqual, 3},
                                                      {"+", BinaryOp::kAdd, 4},
                                                      {"-", BinaryOp::kSub, 4},
                                                      {"*", BinaryOp::kMul, kMultiplication},
                                                      {"/", BinaryOp::kDiv, kMultiplication},
                                                      {"%", BinaryOp::kMod, kMultiplication},
                                                      {"atan2", BinaryOp::kAtan2, kMultiplication},
                                                      {"^", BinaryOp::kPow, kPower}}};

// Words that cannot name a metric outside of braces.
constexpr std::array<std::string_view, 6> kNeverNames = {"on",          "ignoring", "group_left",
                                                         "group_right", "bool",     "atan2"};

std::optional<AggregateOp> FindAggregate(std::string_view lower) {
  for (int i = 0; i <= static_cast<int>(AggregateOp::kQuantile); ++i) {
    const auto op = static_cast<AggregateOp>(i);
    if (AggregateOpText(op) == lower) return op;
  }
  return std::nullopt;
}

std::string Describe(const Token& token) {
  switch (token.kind) {
    case Token::Kind::kEnd:
      return "end of input";
    case Token::Kind::kNumber:
      return fmt::format("number \"{}\"", token.text);
    case Token::Kind::kString:
      return fmt::format("string {}", QuotedText(token.text));
    case Token::Kind::kIdentifier:
    case Token::Kind::kMetricName:
      return fmt::format("identifier \"{}\"", token.text);
    case Token::Kind::kSymbol:
      break;
  }
  return fmt::format("\"{}\"", token.text);
}

// Recursive descent with precedence climbing. The first fault is kept in error_ and every function
// then returns null or false at once.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<ExprPtr> Run() {
    if (Current().kind == Token::Kind::kEnd) return FailAt({1, 1}, "no expression found in input");
    ExprPtr expr = ParseBinary(1);
    if (expr && Current().kind != Token::Kind::kEnd) {
      expr = Unexpected("");
    }
    if (!expr) return Forward(std::move(error_));
    return expr;
  }

 private:
  const Token& Current() const { return tokens_[position_]; }
  const Token& Next() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)]; }
  void Step() {
    if (position_ + 1 < tokens_.size()) ++position_;
  }
  bool IsSymbol(std::string_view symbol) const {
    return Current().kind == Token::Kind::kSymbol && Current().text == symbol;
  }
  bool IsWord(std::string_view word) const {
    return Current().kind == Token::Kind::kIdentifier && Lower(Current().text) == word;
  }
  bool Take(std::string_view symbol) {
    if (!IsSymbol(symbol)) return false;
    Step();
    return true;
  }
  bool TakeWord(std::string_view word) {
    if (!IsWord(word)) return false;
    Step();
    return true;
  }

  std::nullptr_t Fault(Error error) {
    if (error_.message.empty()) error_ = std::move(error);
    return nullptr;
  }
  std::nullptr_t Fault(Place place, std::string_view message,
                       ErrorCode code = ErrorCode::kInvalid) {
    return Fault(FailAt(place, message, code).value());
  }
  // `where` as in "in aggregation"; what was expected after it.
  std::nullptr_t Unexpected(std::string_view where, std::string_view expected = "") {
    std::string message = fmt::format("unexpected {}", Describe(Current()));
    if (!where.empty()) message += fmt::format(" in {}", where);
    if (!expected.empty()) message += fmt::format(", expected {}", expected);
    return Fault(Current().place, message);
  }
  bool Expect(std::string_view symbol, std::string_view where) {
    if (Take(symbol)) return true;
    Unexpected(where, fmt::format("\"{}\"", symbol));
    return false;
  }
  ExprPtr Made(Result<ExprPtr> made) {
    if (!made) return Fault(std::move(made.error()));
    return *made;
  }

  const OperatorInfo* CurrentOperator() const {
    if (Current().kind != Token::Kind::kSymbol && Current().kind != Token::Kind::kIdentifier) {
      return nullptr;
    }
    const std::string text = Lower(Current().text);
    const auto it = std::find_if(kOperators.begin(), kOperators.end(),
                                 [&](const OperatorInfo& info) { return info.text == text; });
    return it == kOperators.end() ? nullptr : &*it;
  }

  ExprPtr ParseBinary(int min_precedence) {
    if (++depth_ > kMaxDepth) {
      return Fault(Current().place, fmt::format("nested deeper than {} levels", kMaxDepth));
    }
    if (StackIsLow()) {
      return Fault(Current().place, "nested deeper than this thread's stack allows",
                   ErrorCode::kLimit);
    }
    ExprPtr lhs = ParseUnary();
    while (lhs) {
      const OperatorInfo* info = CurrentOperator();
      if (info == nullptr || info->precedence < min_precedence) break;
      Step();
      Matching matching;
      bool return_bool = false;
      if (!ParseModifiers(&matching, &return_bool)) return nullptr;
      // ^ binds to the right, all others to the left.
      ExprPtr rhs = ParseBinary(info->precedence == kPower ? kPower : info->precedence + 1);
      if (!rhs) return nullptr;
      lhs = Made(
          MakeBinary(info->op, std::move(lhs), std::move(rhs), std::move(matching), return_bool));
    }
    --depth_;
    return lhs;
  }

  bool ParseModifiers(Matching* matching, bool* return_bool) {
    *return_bool = TakeWord("bool");
    if (IsWord("on") || IsWord("ignoring")) {
      matching->on = IsWord("on");
      Step();
      if (!ParseLabelList(&matching->labels)) return false;
      if (IsWord("group_left") || IsWord("group_right")) {
        matching->group = IsWord("group_left") ? Matching::Group::kLeft : Matching::Group::kRight;
        Step();
        if (IsSymbol("(") && !ParseLabelList(&matching->include)) return false;
      }
    }
    for (const std::string_view fill : {"fill", "fill_left", "fill_right"}) {
      if (!IsWord(fill) || Next().text != "(") continue;
      Fault(Current().place,
            fmt::format("binary modifier \"{}\" is experimental in Prometheus and not supported",
                        fill),
            ErrorCode::kRefused);
      return false;
    }
    return true;
  }

  ExprPtr ParseUnary() {
    if (!IsSymbol("+") && !IsSymbol("-")) return ParsePostfix();
    const Place place = Current().place;
    const bool negate = IsSymbol("-");
    Step();
    ExprPtr operand = ParseBinary(kPower);
    if (!operand) return nullptr;
    return Made(MakeUnary(negate, std::move(operand), place));
  }

  ExprPtr ParsePostfix() {
    ExprPtr expr = ParsePrimary();
    bool offset_set = false;
    bool at_set = false;
    while (expr) {
      if (IsSymbol("[")) {
        expr = ParseBracket(expr, offset_set, at_set);
        offset_set = at_set = false;
      } else if (IsWord("offset")) {
        expr = ParseOffset(expr, &offset_set);
      } else if (IsSymbol("@")) {
        expr = ParseAt(expr, &at_set);
      } else if (IsWord("anchored") || IsWord("smoothed")) {
        return Fault(Current().place,
                     fmt::format("modifier \"{}\" is experimental in Prometheus and not supported",
                                 Lower(Current().text)),
                     ErrorCode::kRefused);
      } else {
        break;
      }
    }
    return expr;
  }

  ExprPtr ParsePrimary() {
    const Token token = Current();
    if (token.kind == Token::Kind::kNumber) {
      Step();
      const ParsedNumber number = *ParseNumberText(token.text);
      return number.is_duration ? MakeDuration(number.value, token.place)
                                : MakeNumber(number.value, token.place);
    }
    if (token.kind == Token::Kind::kString) {
      Step();
      return MakeString(token.text, token.place);
    }
    if (IsSymbol("(")) {
      Step();
      ExprPtr inner = ParseBinary(1);
      if (!inner || !Expect(")", "parenthesised expression")) return nullptr;
      return Made(MakeParen(std::move(inner), token.place));
    }
    if (IsSymbol("{")) return ParseSelector("", token.place);
    if (token.kind == Token::Kind::kMetricName) {
      Step();
      return ParseSelector(token.text, token.place);
    }
    if (token.kind == Token::Kind::kIdentifier) return ParseWordExpr(token);
    return Unexpected("");
  }

  ExprPtr ParseWordExpr(const Token& token) {
    const std::string lower = Lower(token.text);
    const std::string next = Lower(Next().kind == Token::Kind::kString ? "" : Next().text);
    if (lower == "inf" || lower == "nan") {
      Step();
      return MakeNumber(ParseNumberText(lower)->value, token.place);
    }
    if (next == "(" || next == "by" || next == "without") {
      if (const auto op = FindAggregate(lower)) return ParseAggregate(*op, token.place);
      if (lower == "limitk" || lower == "limit_ratio") {
        return Fault(
            token.place,
            fmt::format("aggregation \"{}\" is experimental in Prometheus and not supported",
                        lower),
            ErrorCode::kRefused);
      }
    }
    if (next == "(") return ParseCall(token);
    if (std::find(kNeverNames.begin(), kNeverNames.end(), lower) != kNeverNames.end()) {
      return Unexpected("");
    }
    Step();
    return ParseSelector(token.text, token.place);
  }

  // The arguments in parentheses.
  bool ParseArguments(std::vector<ExprPtr>* args, std::string_view where) {
    if (!Expect("(", where)) return false;
    while (!IsSymbol(")")) {
      ExprPtr arg = ParseBinary(1);
      if (!arg) return false;
      args->push_back(std::move(arg));
      if (IsSymbol(")")) break;
      if (!Expect(",", where)) return false;
      if (IsSymbol(")")) {
        Fault(Current().place, "trailing commas not allowed in function call args");
        return false;
      }
    }
    return Expect(")", where);
  }

  ExprPtr ParseCall(const Token& name) {
    Step();
    if (FindFunction(name.text) == nullptr) {
      return Made(MakeCall(name.text, {}, name.place));  // Says why.
    }
    std::vector<ExprPtr> args;
    if (!ParseArguments(&args, "function call")) return nullptr;
    return Made(MakeCall(name.text, std::move(args), name.place));
  }

  bool ParseGrouping(Grouping* grouping, bool* present) {
    if (!IsWord("by") && !IsWord("without")) return true;
    *present = true;
    grouping->without = IsWord("without");
    Step();
    return ParseLabelList(&grouping->labels);
  }

  ExprPtr ParseAggregate(AggregateOp op, Place place) {
    Step();
    Grouping grouping;
    bool grouped = false;
    if (!ParseGrouping(&grouping, &grouped)) return nullptr;
    std::vector<ExprPtr> args;
    if (!ParseArguments(&args, "aggregation")) return nullptr;
    if (!grouped && !ParseGrouping(&grouping, &grouped)) return nullptr;
    if (args.empty()) return Fault(place, "no arguments for aggregate expression provided");
    const bool parameter = op >= AggregateOp::kTopk;
    if (args.size() != (parameter ? 2u : 1u)) {
      return Fault(place,
                   fmt::format("wrong number of arguments for aggregate expression provided, "
                               "expected {}, got {}",
                               parameter ? 2 : 1, args.size()));
    }
    return Made(
        MakeAggregate(op, args.back(), std::move(grouping), parameter ? args[0] : nullptr, place));
  }

  bool ParseLabelList(std::vector<std::string>* labels) {
    if (!Expect("(", "grouping opts")) return false;
    while (!IsSymbol(")")) {
      const Token& token = Current();
      const bool quoted = token.kind == Token::Kind::kString;
      if (token.kind != Token::Kind::kIdentifier && !quoted) {
        Unexpected("grouping opts", "label");
        return false;
      }
      if (quoted && (token.text.empty() || !telemetry::IsUtf8(token.text))) {
        Fault(token.place, fmt::format("invalid label name {}", QuotedText(token.text)));
        return false;
      }
      labels->push_back(token.text);
      Step();
      if (!IsSymbol(")") && !Expect(",", "grouping opts")) return false;
    }
    return Expect(")", "grouping opts");
  }

  // The braces, where there are any, after a name, where there is one.
  ExprPtr ParseSelector(std::string name, Place place) {
    std::vector<Matcher> matchers;
    if (Take("{")) {
      while (!IsSymbol("}")) {
        if (!ParseMatcher(&name, &matchers)) return nullptr;
        if (!IsSymbol("}") && !Expect(",", "label matching")) return nullptr;
      }
      Step();
    }
    return Made(MakeSelector(std::move(name), std::move(matchers), {}, place));
  }

  bool ParseMatcher(std::string* name, std::vector<Matcher>* matchers) {
    const Token token = Current();
    const bool quoted = token.kind == Token::Kind::kString;
    if (token.kind != Token::Kind::kIdentifier && !quoted) {
      Unexpected("label matching", "identifier or \"}\"");
      return false;
    }
    Step();
    if (quoted && (IsSymbol(",") || IsSymbol("}"))) return SetName(token, name);
    if (quoted && (token.text.empty() || !telemetry::IsUtf8(token.text))) {
      Fault(token.place, fmt::format("invalid label name {}", QuotedText(token.text)));
      return false;
    }
    Matcher matcher;
    matcher.name = token.text;
    if (IsSymbol("=")) {
      matcher.kind = Matcher::Kind::kEqual;
    } else if (IsSymbol("!=")) {
      matcher.kind = Matcher::Kind::kNotEqual;
    } else if (IsSymbol("=~")) {
      matcher.kind = Matcher::Kind::kRegex;
    } else if (IsSymbol("!~")) {
      matcher.kind = Matcher::Kind::kNotRegex;
    } else {
      Unexpected("label matching", "label matching operator");
      return false;
    }
    Step();
    if (Current().kind != Token::Kind::kString) {
      Unexpected("label matching", "string");
      return false;
    }
    matcher.value = Current().text;
    Step();
    matchers->push_back(std::move(matcher));
    return true;
  }

  bool SetName(const Token& token, std::string* name) {
    if (!name->empty()) {
      Fault(token.place, fmt::format("metric name must not be set twice: {} or {}",
                                     QuotedText(*name), QuotedText(token.text)));
      return false;
    }
    if (token.text.empty() || !telemetry::IsUtf8(token.text)) {
      Fault(token.place, fmt::format("invalid metric name {}", QuotedText(token.text)));
      return false;
    }
    *name = token.text;
    return true;
  }

  // A duration or a number of seconds, in milliseconds.
  std::optional<std::int64_t> ParseSeconds(std::string_view where) {
    const Token token = Current();
    if (token.kind != Token::Kind::kNumber) {
      const bool sign = in_bracket_ && (IsSymbol("+") || IsSymbol("-"));
      if (sign || IsSymbol("(") || token.kind == Token::Kind::kIdentifier) {
        Fault(token.place, "duration expressions are experimental in Prometheus and not supported",
              ErrorCode::kRefused);
      } else {
        Unexpected(where, "number or duration");
      }
      return std::nullopt;
    }
    Step();
    const double seconds = ParseNumberText(token.text)->value;
    if (!(std::fabs(seconds) <= kMaxDurationSeconds)) {
      Fault(token.place, "duration out of range");
      return std::nullopt;
    }
    if (CurrentOperator() != nullptr && CurrentOperator()->precedence >= 4 && in_bracket_) {
      Fault(Current().place,
            "duration expressions are experimental in Prometheus and not supported",
            ErrorCode::kRefused);
      return std::nullopt;
    }
    return static_cast<std::int64_t>(std::llround(seconds * 1000));
  }

  ExprPtr ParseBracket(const ExprPtr& expr, bool offset_set, bool at_set) {
    const Place place = Next().place;
    Step();
    in_bracket_ = true;
    const auto range_ms = ParseSeconds("subquery or range");
    in_bracket_ = false;
    if (!range_ms) return nullptr;
    if (Take("]")) {
      if (expr->kind != Expr::Kind::kSelector) {
        return Fault(place, "ranges only allowed for vector selectors");
      }
      if (offset_set || at_set) {
        return Fault(place, fmt::format("no {} modifiers allowed before range",
                                        offset_set ? "offset" : "@"));
      }
      return Made(MakeRange(expr, *range_ms, place));
    }
    if (!Expect(":", "subquery or range")) return nullptr;
    std::int64_t step_ms = 0;
    if (!IsSymbol("]")) {
      const Place step_place = Current().place;
      in_bracket_ = true;
      const auto step = ParseSeconds("subquery selector");
      in_bracket_ = false;
      if (!step) return nullptr;
      if (*step <= 0) return Fault(step_place, "duration must be greater than 0");
      step_ms = *step;
    }
    if (!Expect("]", "subquery selector")) return nullptr;
    return Made(MakeSubquery(expr, *range_ms, step_ms, {}, place));
  }

  // `expr` with `change` made to its time shift; null where it has none.
  template <typename Change>
  static ExprPtr Shifted(const ExprPtr& expr, Change change) {
    if (expr->kind == Expr::Kind::kSelector) {
      auto copy = std::make_shared<Selector>(static_cast<const Selector&>(*expr));
      change(&copy->shift);
      copy->step_invariant = copy->shift.at != TimeShift::At::kNone;
      return copy;
    }
    if (expr->kind == Expr::Kind::kSubquery) {
      auto copy = std::make_shared<Subquery>(static_cast<const Subquery&>(*expr));
      change(&copy->shift);
      copy->step_invariant = copy->shift.at != TimeShift::At::kNone;
      return copy;
    }
    if (expr->kind != Expr::Kind::kRange) return nullptr;
    auto copy = std::make_shared<RangeSelector>(static_cast<const RangeSelector&>(*expr));
    auto selector = std::make_shared<Selector>(*copy->selector);
    change(&selector->shift);
    selector->step_invariant = selector->shift.at != TimeShift::At::kNone;
    copy->step_invariant = selector->step_invariant;
    copy->selector = std::move(selector);
    return copy;
  }

  ExprPtr ParseOffset(const ExprPtr& expr, bool* offset_set) {
    const Place place = Current().place;
    Step();
    const bool negative = IsSymbol("-");
    if (negative || IsSymbol("+")) Step();
    const auto offset_ms = ParseSeconds("offset");
    if (!offset_ms) return nullptr;
    ExprPtr shifted = Shifted(
        expr, [&](TimeShift* shift) { shift->offset_ms = negative ? -*offset_ms : *offset_ms; });
    if (!shifted) {
      return Fault(expr->place,
                   "offset modifier must be preceded by an instant vector selector or range vector "
                   "selector or a subquery");
    }
    if (*offset_set) return Fault(place, "offset may not be set multiple times");
    *offset_set = true;
    return shifted;
  }

  bool ParseAtTime(TimeShift* at) {
    for (const auto& [word, kind] :
         {std::pair{"start", TimeShift::At::kStart}, {"end", TimeShift::At::kEnd}}) {
      if (!IsWord(word)) continue;
      Step();
      at->at = kind;
      return Expect("(", "@") && Expect(")", "@");
    }
    const bool negative = IsSymbol("-");
    if (negative || IsSymbol("+")) Step();
    const Token token = Current();
    const bool word = IsWord("inf") || IsWord("nan");
    if (token.kind != Token::Kind::kNumber && !word) {
      Unexpected("@", "timestamp");
      return false;
    }
    Step();
    const double seconds = ParseNumberText(token.text)->value * (negative ? -1 : 1);
    if (!(std::fabs(seconds) <= kMaxDurationSeconds * 1000)) {
      Fault(token.place,
            fmt::format("timestamp out of bounds for @ modifier: {}", FixedText(seconds)));
      return false;
    }
    at->at = TimeShift::At::kTime;
    at->at_ms = static_cast<std::int64_t>(std::llround(seconds * 1000));
    return true;
  }

  ExprPtr ParseAt(const ExprPtr& expr, bool* at_set) {
    const Place place = Current().place;
    Step();
    TimeShift at;
    if (!ParseAtTime(&at)) return nullptr;
    ExprPtr shifted = Shifted(expr, [&](TimeShift* shift) {
      shift->at = at.at;
      shift->at_ms = at.at_ms;
    });
    if (!shifted) {
      return Fault(expr->place,
                   "@ modifier must be preceded by an instant vector selector or range vector "
                   "selector or a subquery");
    }
    if (*at_set) return Fault(place, "@ <timestamp> may not be set multiple times");
    *at_set = true;
    return shifted;
  }

  const std::vector<Token> tokens_;
  std::size_t position_ = 0;
  int depth_ = 0;
  bool in_bracket_ = false;
  Error error_;
};

bool IsBareName(std::string_view name, bool colons) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colons && c == ':');
  });
}

}  // namespace

Result<ExprPtr> Parse(std::string_view query) {
  if (query.size() > kMaxQueryBytes) {
    return Fail(ErrorCode::kLimit, "a query of {} bytes is over kMaxQueryBytes ({})", query.size(),
                kMaxQueryBytes);
  }
  if (!telemetry::IsUtf8(query)) return FailAt({1, 1}, "the query is not UTF-8");
  Result<std::vector<Token>> tokens = Tokenize(query);
  if (!tokens) return Forward(tokens.error());
  return Parser(std::move(*tokens)).Run();
}

bool IsBareMetricName(std::string_view name) {
  if (!IsBareName(name, true)) return false;
  const std::string lower = Lower(name);
  return lower != "inf" && lower != "nan" &&
         std::find(kNeverNames.begin(), kNeverNames.end(), lower) == kNeverNames.end();
}

bool IsBareLabelName(std::string_view name) { return IsBareName(name, false); }

}  // namespace atalaya::promql
