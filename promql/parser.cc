#include "promql/parser.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "promql/functions.h"
#include "promql/lexer.h"
#include "promql/number_text.h"
#include "promql/parser_impl.h"
#include "promql/stack_guard.h"
#include "telemetry/utf8.h"

namespace atalaya::promql {
namespace {

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

bool IsBareName(std::string_view name, bool colons) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colons && c == ':');
  });
}

}  // namespace

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
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

Result<ExprPtr> Parser::Run() {
  if (Current().kind == Token::Kind::kEnd) return FailAt({1, 1}, "no expression found in input");
  ExprPtr expr = ParseBinary(1);
  if (expr && Current().kind != Token::Kind::kEnd) {
    expr = Unexpected("");
  }
  if (!expr) return Forward(std::move(error_));
  return expr;
}

const OperatorInfo* Parser::CurrentOperator() const {
  if (Current().kind != Token::Kind::kSymbol && Current().kind != Token::Kind::kIdentifier) {
    return nullptr;
  }
  const std::string text = Lower(Current().text);
  const auto it = std::find_if(kOperators.begin(), kOperators.end(),
                               [&](const OperatorInfo& info) { return info.text == text; });
  return it == kOperators.end() ? nullptr : &*it;
}

ExprPtr Parser::ParseBinary(int min_precedence) {
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

bool Parser::ParseModifiers(Matching* matching, bool* return_bool) {
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
    Fault(
        Current().place,
        fmt::format("binary modifier \"{}\" is experimental in Prometheus and not supported", fill),
        ErrorCode::kRefused);
    return false;
  }
  return true;
}

ExprPtr Parser::ParseUnary() {
  if (!IsSymbol("+") && !IsSymbol("-")) return ParsePostfix();
  const Place place = Current().place;
  const bool negate = IsSymbol("-");
  Step();
  ExprPtr operand = ParseBinary(kPower);
  if (!operand) return nullptr;
  return Made(MakeUnary(negate, std::move(operand), place));
}

ExprPtr Parser::ParsePostfix() {
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

ExprPtr Parser::ParsePrimary() {
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

ExprPtr Parser::ParseWordExpr(const Token& token) {
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
          fmt::format("aggregation \"{}\" is experimental in Prometheus and not supported", lower),
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
bool Parser::ParseArguments(std::vector<ExprPtr>* args, std::string_view where) {
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

ExprPtr Parser::ParseCall(const Token& name) {
  Step();
  if (FindFunction(name.text) == nullptr) {
    return Made(MakeCall(name.text, {}, name.place));  // Says why.
  }
  std::vector<ExprPtr> args;
  if (!ParseArguments(&args, "function call")) return nullptr;
  return Made(MakeCall(name.text, std::move(args), name.place));
}

bool Parser::ParseGrouping(Grouping* grouping, bool* present) {
  if (!IsWord("by") && !IsWord("without")) return true;
  *present = true;
  grouping->without = IsWord("without");
  Step();
  return ParseLabelList(&grouping->labels);
}

ExprPtr Parser::ParseAggregate(AggregateOp op, Place place) {
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
    return Fault(place, fmt::format("wrong number of arguments for aggregate expression provided, "
                                    "expected {}, got {}",
                                    parameter ? 2 : 1, args.size()));
  }
  return Made(
      MakeAggregate(op, args.back(), std::move(grouping), parameter ? args[0] : nullptr, place));
}

bool Parser::ParseLabelList(std::vector<std::string>* labels) {
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
