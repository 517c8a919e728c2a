#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "promql/ast.h"
#include "promql/lexer.h"

namespace atalaya::promql {

// In lower case, ASCII only.
std::string Lower(std::string_view text);

// How an error calls a token: `identifier "foo"`, `end of input`.
std::string Describe(const Token& token);

// A walk over a query's tokens. The first fault is kept in error_, and every function then returns
// null or false at once.
class TokenCursor {
 public:
  explicit TokenCursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
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

  const std::vector<Token> tokens_;
  std::size_t position_ = 0;
  Error error_;
};

struct OperatorInfo {
  std::string_view text;
  BinaryOp op;
  int precedence;  // Higher binds tighter.
};

// Recursive descent with precedence climbing. parser.cc holds expressions, parser_selector.cc
// selectors and what follows them.
class Parser : public TokenCursor {
 public:
  using TokenCursor::TokenCursor;
  Result<ExprPtr> Run();

 private:
  const OperatorInfo* CurrentOperator() const;
  ExprPtr ParseBinary(int min_precedence);
  bool ParseModifiers(Matching* matching, bool* return_bool);
  ExprPtr ParseUnary();
  ExprPtr ParsePostfix();
  ExprPtr ParsePrimary();
  ExprPtr ParseWordExpr(const Token& token);
  // The arguments in parentheses.
  bool ParseArguments(std::vector<ExprPtr>* args, std::string_view where);
  ExprPtr ParseCall(const Token& name);
  bool ParseGrouping(Grouping* grouping, bool* present);
  ExprPtr ParseAggregate(AggregateOp op, Place place);
  bool ParseLabelList(std::vector<std::string>* labels);

  // The braces, where there are any, after a name, where there is one.
  ExprPtr ParseSelector(std::string name, Place place);
  bool ParseMatcher(std::string* name, std::vector<telemetry::Matcher>* matchers);
  bool SetName(const Token& token, std::string* name);
  // A duration or a number of seconds, in milliseconds.
  std::optional<std::int64_t> ParseSeconds(std::string_view where);
  ExprPtr ParseBracket(const ExprPtr& expr, bool offset_set, bool at_set);
  ExprPtr ParseOffset(const ExprPtr& expr, bool* offset_set);
  bool ParseAtTime(TimeShift* at);
  ExprPtr ParseAt(const ExprPtr& expr, bool* at_set);

  int depth_ = 0;
  bool in_bracket_ = false;
};

}  // namespace atalaya::promql
