#include "alertd/templates/text_template.h"

#include <map>
#include <utility>

#include "alertd/templates/template_node.h"
#include "alertd/templates/template_parser.h"

namespace atalaya::alertd {
namespace {

constexpr int kMaxSteps = 100'000;  // Nodes that one expansion visits, those of ranges each time.

class Expansion {
 public:
  using Variables = std::map<std::string, TemplateValue>;

  // `variables` by name, "$" among them; what they hold `query` may be asked of.
  Expansion(Variables variables, const TemplateQuery& query)
      : variables_(std::move(variables)), query_(query) {}

  Status Run(const std::vector<TemplateNode>& nodes, const TemplateValue& dot) {
    for (const TemplateNode& node : nodes) {
      if (++steps_ > kMaxSteps) return Fail(ErrorCode::kLimit, "takes too many steps");
      if (Status ran = RunNode(node, dot); !ran) return ran;
      if (out_.size() > kMaxTemplateText)
        return Fail(ErrorCode::kLimit, "makes more than {} bytes", kMaxTemplateText);
    }
    return {};
  }

  std::string Take() { return std::move(out_); }

 private:
  Status RunNode(const TemplateNode& node, const TemplateValue& dot) {
    if (node.kind == TemplateNode::Kind::kText) {
      out_ += node.text;
      return {};
    }
    Result<TemplateValue> value = Evaluate(node.pipeline, dot);
    if (!value) return Forward(value.error());
    if (node.kind == TemplateNode::Kind::kRange) return RunRange(node, *value, dot);
    for (const std::string& name : node.variables) variables_[name] = *value;
    if (node.kind == TemplateNode::Kind::kAction) {
      if (node.variables.empty()) out_ += value->ToText();
      return {};
    }
    if (!value->IsTrue()) return Run(node.otherwise, dot);
    return Run(node.body, node.kind == TemplateNode::Kind::kWith ? *value : dot);
  }

  Status RunRange(const TemplateNode& node, const TemplateValue& value, const TemplateValue& dot) {
    const std::vector<std::pair<TemplateValue, TemplateValue>> elements = ElementsOf(value);
    if (elements.empty()) return Run(node.otherwise, dot);
    for (const auto& [key, element] : elements) {
      if (node.variables.size() > 1) variables_[node.variables.front()] = key;
      if (!node.variables.empty()) variables_[node.variables.back()] = element;
      if (Status ran = Run(node.body, element); !ran) return ran;
    }
    return {};
  }

  static std::vector<std::pair<TemplateValue, TemplateValue>> ElementsOf(
      const TemplateValue& value) {
    std::vector<std::pair<TemplateValue, TemplateValue>> elements;
    if (const auto* list = value.As<TemplateValue::List>()) {
      for (const TemplateValue& each : *list)
        elements.push_back({{static_cast<double>(elements.size())}, each});
    } else if (const auto* labels = value.As<telemetry::Labels>()) {
      for (const auto& [name, text] : *labels)
        elements.push_back({{std::string(name)}, {std::string(text)}});
    }
    return elements;
  }

  Result<TemplateValue> Evaluate(const TemplatePipeline& pipeline, const TemplateValue& dot) {
    TemplateValue value;
    for (const TemplateCommand& command : pipeline) {
      std::vector<TemplateValue> args;
      for (const TemplateOperand& operand : command.operands) {
        Result<TemplateValue> arg = ValueOf(operand, dot);
        if (!arg) return Forward(arg.error());
        args.push_back(std::move(*arg));
      }
      if (command.function.empty()) {
        value = std::move(args.front());
        continue;
      }
      if (&command != &pipeline.front()) args.push_back(std::move(value));
      Result<TemplateValue> result = CallTemplateFunction(command.function, args, query_);
      if (!result) return Forward(result.error());
      value = std::move(*result);
    }
    return value;
  }

  Result<TemplateValue> ValueOf(const TemplateOperand& operand, const TemplateValue& dot) {
    TemplateValue value = operand.literal;
    if (operand.kind == TemplateOperand::Kind::kVariable) {
      value = variables_[operand.variable];
    } else if (operand.kind == TemplateOperand::Kind::kDot) {
      value = dot;
    } else if (operand.kind == TemplateOperand::Kind::kPipeline) {
      Result<TemplateValue> inner = Evaluate(operand.pipeline, dot);
      if (!inner) return Forward(inner.error());
      value = std::move(*inner);
    }
    for (const std::string& name : operand.fields) {
      Result<TemplateValue> field = Field(value, name);
      if (!field) return Forward(field.error());
      value = std::move(*field);
    }
    return value;
  }

  static Result<TemplateValue> Field(const TemplateValue& value, const std::string& name) {
    if (const auto* labels = value.As<telemetry::Labels>())
      return TemplateValue{std::string(labels->Get(name))};
    if (const auto* object = value.As<TemplateValue::Object>()) {
      for (const auto& [known, field] : *object) {
        if (known == name) return field;
      }
    }
    if (const auto* sample = value.As<telemetry::LabelledSample>()) {
      if (name == "Value") {
        Result<TemplateValue> number;
        number->data = sample->sample.value;
        return number;
      }
      if (name == "Labels") return TemplateValue{sample->labels};
    }
    if (const auto* list = value.As<TemplateValue::List>()) {
      if (name == "Firing") return OfStatus(*list, "firing");
      if (name == "Resolved") return OfStatus(*list, "resolved");
    }
    return Fail(ErrorCode::kInvalid, "there is no .{} here", name);
  }

  // The alerts of a list of alerts that have a status.
  static Result<TemplateValue> OfStatus(const TemplateValue::List& alerts,
                                        std::string_view status) {
    TemplateValue::List chosen;
    for (const TemplateValue& alert : alerts) {
      const Result<TemplateValue> its = Field(alert, "Status");
      if (!its) return Forward(its.error());
      if (its->ToText() == status) chosen.push_back(alert);
    }
    return TemplateValue{std::move(chosen)};
  }

  Variables variables_;
  const TemplateQuery& query_;
  std::string out_;
  int steps_ = 0;
};

}  // namespace

Result<TextTemplate> TextTemplate::Parse(std::string_view text) {
  TextTemplate parsed;
  parsed.source_ = std::string(text);
  Result<TemplateNode> root = ParseTemplate(text);
  if (!root) return Forward(root.error());
  if (text.find("{{") != std::string_view::npos)
    parsed.root_ = std::make_shared<const TemplateNode>(std::move(*root));
  return parsed;
}

std::string TextTemplate::Expand(const TemplateData& data) const {
  if (root_ == nullptr) return source_;
  const TemplateValue labels{data.labels}, value{data.value};
  const TemplateValue external_labels{telemetry::Labels()}, external_url{std::string()};
  TemplateValue::Object top{{"Labels", labels},
                            {"Value", value},
                            {"ExternalLabels", external_labels},
                            {"ExternalURL", external_url}};
  Expansion expansion({{"$", {top}},
                       {"$labels", labels},
                       {"$value", value},
                       {"$externalLabels", external_labels},
                       {"$externalURL", external_url}},
                      data.query);
  const Status ran = expansion.Run(root_->body, TemplateValue{std::move(top)});
  return ran ? expansion.Take() : fmt::format("{} ({})", source_, ran.error().message);
}

Result<std::string> TextTemplate::ExpandOver(const TemplateValue& top) const {
  if (root_ == nullptr) return source_;
  const TemplateQuery no_query;
  Expansion expansion({{"$", top}}, no_query);
  if (Status ran = expansion.Run(root_->body, top); !ran) return Forward(ran.error());
  return expansion.Take();
}

}  // namespace atalaya::alertd
