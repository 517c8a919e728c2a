#include "promql/lexer.h"

#include <algorithm>
#include <array>

#include "promql/number_text.h"
#include "telemetry/utf8.h"

namespace atalaya::promql {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsAlnum(char c) { return IsAlpha(c) || IsDigit(c); }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Reads `count` digits of `base`; -1 where one is missing.
std::int64_t ReadDigits(std::string_view text, std::size_t* position, int count, int base) {
  std::int64_t value = 0;
  for (int i = 0; i < count; ++i, ++*position) {
    const int digit = *position < text.size() ? HexValue(text[*position]) : -1;
    if (digit < 0 || digit >= base) return -1;
    value = value * base + digit;
  }
  return value;
}

// Reads the escape after a backslash at `*position`.
Status ReadEscape(std::string_view text, std::size_t* position, char quote, std::string* out) {
  if (*position >= text.size()) return Fail(ErrorCode::kInvalid, "escape sequence not terminated");
  const char c = text[*position];
  if (c == quote || c == '\\') {
    *out += c;
    ++*position;
    return {};
  }
  if (const std::size_t at = std::string_view("abfnrtv").find(c); at != std::string_view::npos) {
    *out += "\a\b\f\n\r\t\v"[at];
    ++*position;
    return {};
  }
  std::int64_t value = -1;
  if (c >= '0' && c <= '7') {
    value = ReadDigits(text, position, 3, 8);
    if (value >= 0 && value <= 255) {
      *out += static_cast<char>(value);
      return {};
    }
  } else if (c == 'x') {
    ++*position;
    value = ReadDigits(text, position, 2, 16);
    if (value >= 0) {
      *out += static_cast<char>(value);
      return {};
    }
  } else if (c == 'u' || c == 'U') {
    ++*position;
    value = ReadDigits(text, position, c == 'u' ? 4 : 8, 16);
    if (value >= 0 && value <= 0x10ffff && !(value >= 0xd800 && value < 0xe000)) {
      telemetry::AppendUtf8(*out, static_cast<std::uint32_t>(value));
      return {};
    }
  } else {
    return Fail(ErrorCode::kInvalid, "unknown escape sequence \\{}", c);
  }
  return Fail(ErrorCode::kInvalid, "bad escape sequence \\{} in a string", c);
}

class Lexer {
 public:
  explicit Lexer(std::string_view query) : text_(query) {}

  Result<std::vector<Token>> Run() {
    while (true) {
      SkipBlanks();
      if (position_ >= text_.size()) break;
      if (Status read = ReadToken(); !read) return Forward(read.error());
    }
    if (!open_.empty()) {
      return FailAt(Here(), open_.back() == '{'   ? "unexpected end of input inside braces"
                            : open_.back() == '[' ? "unexpected end of input inside brackets"
                                                  : "unclosed left parenthesis");
    }
    Begin();
    Emit(Token::Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  char Peek(std::size_t ahead = 0) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
  }
  Place Here() const { return {line_, static_cast<std::uint32_t>(position_ - line_start_) + 1}; }
  void Begin() {
    begin_ = position_;
    place_ = Here();
  }
  void Emit(Token::Kind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), place_, static_cast<std::uint32_t>(begin_),
                       static_cast<std::uint32_t>(position_)});
  }

  void Advance(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i, ++position_) {
      if (text_[position_] == '\n') {
        ++line_;
        line_start_ = position_ + 1;
      }
    }
  }

  void SkipBlanks() {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        Advance(1);
      } else if (c == '#') {
        while (position_ < text_.size() && text_[position_] != '\n') Advance(1);
      } else {
        return;
      }
    }
  }

  bool Inside(char bracket) const { return !open_.empty() && open_.back() == bracket; }

  Status ReadToken() {
    Begin();
    const char c = Peek();
    if (c == '"' || c == '\'' || c == '`') return ReadString();
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return ReadNumber();
    if (IsAlpha(c) || (c == ':' && open_.find_first_of("{[") == std::string::npos)) {
      ReadIdentifier();
      return {};
    }
    return ReadSymbol();
  }

  Status ReadString() {
    std::size_t position = position_;
    Result<std::string> value = ReadStringLiteral(text_, &position);
    if (!value) return FailAt(place_, value.error().message);
    Advance(position - position_);
    Emit(Token::Kind::kString, std::move(*value));
    return {};
  }

  Status ReadNumber() {
    std::size_t end = position_;
    const bool hex = Peek() == '0' && (Peek(1) == 'x' || Peek(1) == 'X');
    while (end < text_.size()) {
      const char c = text_[end];
      const char before = end > position_ ? text_[end - 1] : '\0';
      const bool sign_of_exponent =
          (c == '+' || c == '-') &&
          (hex ? before == 'p' || before == 'P' : before == 'e' || before == 'E');
      if (!IsAlnum(c) && c != '.' && !sign_of_exponent) break;
      ++end;
    }
    std::string text(text_.substr(position_, end - position_));
    if (!ParseNumberText(text)) {
      return FailAt(place_, fmt::format("bad number or duration syntax: {}", QuotedText(text)));
    }
    Advance(end - position_);
    Emit(Token::Kind::kNumber, std::move(text));
    return {};
  }

  void ReadIdentifier() {
    const bool colons = open_.find_first_of("{[") == std::string::npos;
    std::size_t end = position_;
    while (end < text_.size() && (IsAlnum(text_[end]) || (colons && text_[end] == ':'))) ++end;
    std::string text(text_.substr(position_, end - position_));
    Advance(end - position_);
    const bool metric = text.find(':') != std::string::npos;
    Emit(metric ? Token::Kind::kMetricName : Token::Kind::kIdentifier, std::move(text));
  }

  Status ReadSymbol() {
    static constexpr std::array<std::string_view, 6> kTwo = {"==", "!=", "=~", "!~", "<=", ">="};
    const std::string_view rest = text_.substr(position_);
    for (const std::string_view symbol : kTwo) {
      if (!rest.starts_with(symbol)) continue;
      Advance(2);
      Emit(Token::Kind::kSymbol, std::string(symbol));
      return {};
    }
    if (rest.starts_with("</") || rest.starts_with(">/")) {
      return FailAt(place_,
                    fmt::format("operator \"{}\" cuts native histograms, which are not supported",
                                rest.substr(0, 2)),
                    ErrorCode::kRefused);
    }
    const char c = rest[0];
    if (std::string_view("(){}[],:=<>+-*/%^@").find(c) == std::string_view::npos) {
      return FailAt(place_, fmt::format("unexpected character: {}", QuotedText(rest.substr(0, 1))));
    }
    if (Status matched = Track(c); !matched) return matched;
    Advance(1);
    Emit(Token::Kind::kSymbol, std::string(1, c));
    return {};
  }

  // Keeps the stack of open brackets, on which it depends what a colon means.
  Status Track(char c) {
    if (c == '(' || c == '{' || c == '[') {
      if (open_.size() >= 4 * kMaxDepth) {
        return FailAt(place_, fmt::format("nested deeper than {} levels", kMaxDepth));
      }
      open_ += c;
      return {};
    }
    const char opening = c == ')' ? '(' : c == '}' ? '{' : c == ']' ? '[' : '\0';
    if (opening == '\0') return {};
    if (!Inside(opening)) return FailAt(place_, fmt::format("unexpected \"{}\"", c));
    open_.pop_back();
    return {};
  }

  const std::string_view text_;
  std::size_t position_ = 0;
  std::size_t begin_ = 0;
  std::uint32_t line_ = 1;
  std::size_t line_start_ = 0;
  Place place_;
  std::string open_;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> Tokenize(std::string_view query) { return Lexer(query).Run(); }

Result<std::string> ReadStringLiteral(std::string_view text, std::size_t* position) {
  const char quote = text[(*position)++];
  std::string value;
  while (*position < text.size()) {
    const char c = text[(*position)++];
    if (c == quote) return value;
    if (quote == '`') {
      value += c;
    } else if (c == '\n') {
      break;
    } else if (c == '\\') {
      if (Status read = ReadEscape(text, position, quote, &value); !read) {
        return Forward(read.error());
      }
    } else {
      value += c;
    }
  }
  return Fail(ErrorCode::kInvalid, "unterminated {} string", quote == '`' ? "raw" : "quoted");
}

tl::unexpected<Error> FailAt(Place place, std::string_view message, ErrorCode code) {
  if (place.line == 0) return Fail(code, "{}", message);
  return Fail(code, "{}:{}: parse error: {}", place.line, place.column, message);
}

}  // namespace atalaya::promql
