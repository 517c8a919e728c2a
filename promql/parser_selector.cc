// Selectors, and what follows them: ranges, subqueries, offset and @.

#include <cmath>

#include "promql/number_text.h"
#include "promql/parser_impl.h"
#include "telemetry/utf8.h"

namespace atalaya::promql {
namespace {

using telemetry::Matcher;

// What Go's time.Duration can hold, as in Prometheus.
constexpr double kMaxDurationSeconds = 9.2e9;

// `expr` with `change` made to its time shift; null where it has none.
template <typename Change>
ExprPtr Shifted(const ExprPtr& expr, Change change) {
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

}  // namespace

// The braces, where there are any, after a name, where there is one.
ExprPtr Parser::ParseSelector(std::string name, Place place) {
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

bool Parser::ParseMatcher(std::string* name, std::vector<Matcher>* matchers) {
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

bool Parser::SetName(const Token& token, std::string* name) {
  if (!name->empty()) {
    Fault(token.place, fmt::format("metric name must not be set twice: {} or {}", QuotedText(*name),
                                   QuotedText(token.text)));
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
std::optional<std::int64_t> Parser::ParseSeconds(std::string_view where) {
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
    Fault(Current().place, "duration expressions are experimental in Prometheus and not supported",
          ErrorCode::kRefused);
    return std::nullopt;
  }
  return static_cast<std::int64_t>(std::llround(seconds * 1000));
}

ExprPtr Parser::ParseBracket(const ExprPtr& expr, bool offset_set, bool at_set) {
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
      return Fault(
          place, fmt::format("no {} modifiers allowed before range", offset_set ? "offset" : "@"));
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

ExprPtr Parser::ParseOffset(const ExprPtr& expr, bool* offset_set) {
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

bool Parser::ParseAtTime(TimeShift* at) {
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

ExprPtr Parser::ParseAt(const ExprPtr& expr, bool* at_set) {
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

}  // namespace atalaya::promql
