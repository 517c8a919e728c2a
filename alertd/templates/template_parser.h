#pragma once

#include <string_view>

#include "alertd/templates/template_node.h"
#include "base/result.h"

namespace atalaya::alertd {

// Blocks and parentheses nested deeper are refused.
inline constexpr int kMaxTemplateDepth = 50;

// The template as a tree; faults as TextTemplate::Parse has them.
Result<TemplateNode> ParseTemplate(std::string_view text);

}  // namespace atalaya::alertd
