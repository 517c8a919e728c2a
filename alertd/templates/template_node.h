#pragma once

#include <string>
#include <vector>

#include "alertd/templates/template_value.h"

namespace atalaya::alertd {

// One thing in a pipeline's command.
struct TemplateOperand {
  enum class Kind { kLiteral, kVariable, kDot, kPipeline } kind = Kind::kLiteral;
  TemplateValue literal;
  std::string variable;                          // "$x", with Kind::kVariable.
  std::vector<struct TemplateCommand> pipeline;  // In parentheses.
  std::vector<std::string> fields;               // `.Labels.job` behind it.
};

// `humanize $value`: a function and its arguments, or one operand alone.
struct TemplateCommand {
  std::string function;  // "" for none.
  std::vector<TemplateOperand> operands;
};

using TemplatePipeline = std::vector<TemplateCommand>;

// Text, an action, or a block of them.
struct TemplateNode {
  enum class Kind { kText, kAction, kIf, kRange, kWith, kBlock } kind = Kind::kBlock;
  std::string text;
  std::vector<std::string>
      variables;         // `$i, $x :=` in front of the pipeline; "$x" of `$x = ..` too.
  bool assigns = false;  // `=`: the variable is there already.
  TemplatePipeline pipeline;
  std::vector<TemplateNode> body;       // Of if, range and with; the whole of a block.
  std::vector<TemplateNode> otherwise;  // After else.
};

}  // namespace atalaya::alertd
