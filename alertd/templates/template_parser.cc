#include "alertd/templates/template_parser.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "alertd/templates/template_functions.h"
#include "base/suggest.h"

namespace atalaya::alertd {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Reads what stands within one pair of braces.
class ActionReader {
 public:
  ActionReader(std::string_view action, const std::set<std::string>& variables)
      : rest_(action), variables_(variables) {}

  Result<TemplatePipeline> Pipeline(int depth) {
    if (depth > kMaxTemplateDepth) return Fail(ErrorCode::kInvalid, "is nested too deeply");
    TemplatePipeline pipeline;
    do {
      Result<TemplateCommand> command = Command(depth, !pipeline.empty());
      if (!command) return Forward(command.error());
      pipeline.push_back(std::move(*command));
    } while (Take("|"));
    return pipeline;
  }

  // `$i, $x :=` or `$x =`; nothing where the action does not begin so.
  std::vector<std::string> Variables(bool& assigns) {
    const std::string_view begin = rest_;
    std::vector<std::string> names;
    do {
      SkipBlanks();
      if (!rest_.starts_with('$')) break;
      names.push_back(VariableName());
    } while (Take(","));
    if (!names.empty() && Take(":=")) return names;
    SkipBlanks();
    if (names.size() == 1 && rest_.starts_with('=')) {
      rest_.remove_prefix(1);
      assigns = true;
      return names;
    }
    rest_ = begin;
    return {};
  }

  bool AtEnd() {
    SkipBlanks();
    return rest_.empty();
  }
  std::string_view rest() const { return rest_; }

 private:
  void SkipBlanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlank), rest_.size()));
  }

  bool Take(std::string_view token) {
    SkipBlanks();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  std::string Name() {
    std::size_t size = 0;
    while (size < rest_.size() && IsNameByte(rest_[size])) ++size;
    std::string name(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return name;
  }

  std::string VariableName() {
    rest_.remove_prefix(1);
    return "$" + Name();
  }

  Result<TemplateCommand> Command(int depth, bool piped) {
    TemplateCommand command;
    SkipBlanks();
    const bool names =
        !rest_.empty() && IsNameByte(rest_[0]) && !(rest_[0] >= '0' && rest_[0] <= '9');
    if (names && !IsWord("true") && !IsWord("false") && !IsWord("nil")) {
      command.function = Name();
      const std::vector<std::string>& known = TemplateFunctionNames();
      if (std::find(known.begin(), known.end(), command.function) == known.end()) {
        return Fail(ErrorCode::kInvalid, "unknown function \"{}\"{}", command.function,
                    DidYouMean(command.function, known));
      }
    }
    while (!AtEnd() && !rest_.starts_with('|') && !rest_.starts_with(')')) {
      Result<TemplateOperand> operand = Operand(depth);
      if (!operand) return Forward(operand.error());
      command.operands.push_back(std::move(*operand));
    }
    if (!command.function.empty()) return command;
    if (piped) return Fail(ErrorCode::kInvalid, "behind \"|\" a function must stand");
    if (command.operands.empty()) return Fail(ErrorCode::kInvalid, "a value is missing");
    if (command.operands.size() > 1)
      return Fail(ErrorCode::kInvalid, "only a function takes arguments");
    return command;
  }

  bool IsWord(std::string_view word) const {
    return rest_.starts_with(word) &&
           (rest_.size() == word.size() || !IsNameByte(rest_[word.size()]));
  }

  Result<TemplateOperand> Operand(int depth) {
    TemplateOperand operand;
    if (rest_.starts_with('$')) {
      const std::string_view begin = rest_;
      operand.kind = TemplateOperand::Kind::kVariable;
      operand.variable = VariableName();
      Fields(operand);
      if (!variables_.contains(operand.variable)) {
        return Fail(ErrorCode::kInvalid, "\"{}\" is neither $value nor $labels.NAME",
                    begin.substr(0, begin.size() - rest_.size()));
      }
      return operand;
    }
    if (rest_.starts_with('.') && !(rest_.size() > 1 && rest_[1] >= '0' && rest_[1] <= '9')) {
      operand.kind = TemplateOperand::Kind::kDot;
      if (rest_.size() == 1 || !IsNameByte(rest_[1])) rest_.remove_prefix(1);
      Fields(operand);
      return operand;
    }
    if (Take("(")) {
      operand.kind = TemplateOperand::Kind::kPipeline;
      Result<TemplatePipeline> inner = Pipeline(depth + 1);
      if (!inner) return Forward(inner.error());
      if (!Take(")")) return Fail(ErrorCode::kInvalid, "\"(\" without \")\"");
      operand.pipeline = std::move(*inner);
      Fields(operand);
      return operand;
    }
    return Literal();
  }

  void Fields(TemplateOperand& operand) {
    while (rest_.size() > 1 && rest_[0] == '.' && IsNameByte(rest_[1])) {
      rest_.remove_prefix(1);
      operand.fields.push_back(Name());
    }
  }

  Result<TemplateOperand> Literal() {
    TemplateOperand operand;
    if (rest_[0] == '"' || rest_[0] == '`') {
      std::optional<std::string> text = Quoted();
      if (!text) return Fail(ErrorCode::kInvalid, "a text has no end");
      operand.literal = {std::move(*text)};
      return operand;
    }
    for (const std::string_view word : {"true", "false", "nil"}) {
      if (!IsWord(word)) continue;
      rest_.remove_prefix(word.size());
      if (word != "nil") operand.literal = {word == "true"};
      return operand;
    }
    double number = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (error != std::errc())
      return Fail(ErrorCode::kInvalid, "\"{}\" is neither a value nor a function", rest_);
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    operand.literal = {number};
    return operand;
  }

  std::optional<std::string> Quoted() {
    const char quote = rest_[0];
    std::string text;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == quote) {
        rest_.remove_prefix(i + 1);
        return text;
      }
      if (rest_[i] == '\\' && quote == '"' && i + 1 < rest_.size()) {
        const char c = rest_[++i];
        text += c == 'n' ? '\n' : c == 't' ? '\t' : c;
      } else {
        text += rest_[i];
      }
    }
    return std::nullopt;
  }

  std::string_view rest_;
  const std::set<std::string>& variables_;
};

// Cuts the text into nodes.
class TemplateParser {
 public:
  explicit TemplateParser(std::string_view text) : text_(text) {}

  Result<TemplateNode> Parse() {
    TemplateNode root;
    const Result<std::string> end = Nodes(root.body, 0);
    if (!end) return Forward(end.error());
    if (!end->empty()) return Fault(fmt::format("\"{}\" without if, range or with", *end));
    return root;
  }

 private:
  tl::unexpected<Error> Fault(std::string_view message) const {
    return Fail(ErrorCode::kInvalid, "1:{}: {}", open_ + 1, message);
  }

  // Reads into `into` up to the end or to an `end` or `else` that is not its own, which it returns.
  Result<std::string> Nodes(std::vector<TemplateNode>& into, int depth) {
    if (depth > kMaxTemplateDepth) return Fault("is nested too deeply");
    while (at_ < text_.size()) {
      Result<std::string_view> action = NextAction(into);
      if (!action) return Forward(action.error());
      if (action->empty() || action->starts_with("/*")) continue;
      const std::string word(action->substr(0, action->find_first_of(" \t\r\n")));
      if (word == "end" || word == "else") return std::string(*action);
      TemplateNode node;
      node.kind = word == "if"      ? TemplateNode::Kind::kIf
                  : word == "range" ? TemplateNode::Kind::kRange
                  : word == "with"  ? TemplateNode::Kind::kWith
                                    : TemplateNode::Kind::kAction;
      const bool block = node.kind != TemplateNode::Kind::kAction;
      if (Status read = Head(block ? action->substr(word.size()) : *action, node); !read)
        return Forward(read.error());
      if (block) {
        if (Status read = Block(node, depth); !read) return Forward(read.error());
      }
      into.push_back(std::move(node));
    }
    return std::string();
  }

  // The text in front of the next action becomes a node; returns the action without its braces, ""
  // at the end of the template.
  Result<std::string_view> NextAction(std::vector<TemplateNode>& into) {
    const std::size_t open = text_.find("{{", at_);
    std::string_view plain = text_.substr(at_, open - at_);
    if (std::exchange(trim_, false))
      plain.remove_prefix(std::min(plain.find_first_not_of(kBlank), plain.size()));
    const bool trims = open != std::string_view::npos && text_.substr(open).starts_with("{{- ");
    if (trims) plain = plain.substr(0, plain.find_last_not_of(kBlank) + 1);
    if (!plain.empty()) {
      into.emplace_back();
      into.back().kind = TemplateNode::Kind::kText;
      into.back().text = std::string(plain);
    }
    at_ = text_.size();
    if (open == std::string_view::npos) return std::string_view();
    open_ = open;
    const std::size_t close = CloseOf(open + 2);
    if (close == std::string_view::npos) return Fault("\"{{\" without \"}}\"");
    at_ = close + 2;
    std::string_view action = text_.substr(open + 2, close - open - 2);
    if (trims) action.remove_prefix(1);
    if (action.ends_with(" -")) {
      trim_ = true;
      action.remove_suffix(1);
    }
    const std::size_t first = action.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return Fault("a value is missing");
    return action.substr(first, action.find_last_not_of(kBlank) - first + 1);
  }

  // Where the "}}" stands that closes an action, texts in quotes apart.
  std::size_t CloseOf(std::size_t at) const {
    char quote = 0;
    for (; at < text_.size(); ++at) {
      const char c = text_[at];
      if (quote != 0) {
        if (c == '\\' && quote == '"') ++at;
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '`') {
        quote = c;
      } else if (text_.substr(at).starts_with("}}")) {
        return at;
      }
    }
    return std::string_view::npos;
  }

  // `$x := pipeline`, or the pipeline alone.
  Status Head(std::string_view action, TemplateNode& node) {
    ActionReader reader(action, variables_);
    node.variables = reader.Variables(node.assigns);
    Result<TemplatePipeline> pipeline = reader.Pipeline(0);
    if (!pipeline) return Fault(pipeline.error().message);
    if (!reader.AtEnd()) return Fault(fmt::format("\"{}\" is one too many", reader.rest()));
    node.pipeline = std::move(*pipeline);
    variables_.insert(node.variables.begin(), node.variables.end());
    return {};
  }

  // The bodies of if, range and with, up to their `end`.
  Status Block(TemplateNode& node, int depth) {
    const std::size_t begin = open_;
    Result<std::string> end = Nodes(node.body, depth + 1);
    if (!end) return Forward(end.error());
    if (end->starts_with("else")) {
      const std::size_t word = end->find_first_not_of(kBlank, 4);
      if (word == std::string::npos) {
        end = Nodes(node.otherwise, depth + 1);
        if (!end) return Forward(end.error());
      } else {
        return ElseIf(end->substr(word), node, depth);
      }
    }
    if (*end == "end") return {};
    open_ = begin;
    return Fault("has no {{ end }}");
  }

  // `else if ..` is an if within the else; both share the end.
  Status ElseIf(const std::string& action, TemplateNode& node, int depth) {
    if (!action.starts_with("if ") && !action.starts_with("with ")) {
      return Fault(fmt::format("\"{}\" cannot stand behind else", action));
    }
    TemplateNode inner;
    inner.kind = action.starts_with("if ") ? TemplateNode::Kind::kIf : TemplateNode::Kind::kWith;
    if (Status read = Head(std::string_view(action).substr(action.find(' ')), inner); !read)
      return read;
    if (Status read = Block(inner, depth + 1); !read) return read;
    node.otherwise.push_back(std::move(inner));
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t open_ = 0;  // Of the action being read: where faults are.
  bool trim_ = false;     // The last action ended in " -}}".
  std::set<std::string> variables_ = {"$", "$labels", "$value", "$externalLabels", "$externalURL"};
};

}  // namespace

Result<TemplateNode> ParseTemplate(std::string_view text) { return TemplateParser(text).Parse(); }

}  // namespace atalaya::alertd
