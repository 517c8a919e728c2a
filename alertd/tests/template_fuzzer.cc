#include <cstddef>
#include <cstdint>
#include <string_view>

#include "alertd/templates/text_template.h"
#include "base/check.h"

namespace {

atalaya::telemetry::Labels Job(const char* name) {
  atalaya::telemetry::Labels labels;
  labels.Set("job", name);
  return labels;
}

}  // namespace

// Any text is a template or a fault; what it expands to is bounded, and the same each time.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atalaya;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = alertd::TextTemplate::Parse(text);
  if (!parsed) return 0;
  alertd::TemplateData about;
  about.labels = telemetry::Labels({{"job", "node"}, {"instance", "a:9100"}});
  about.value = 1234.5;
  about.query = [](const std::string& query) -> Result<std::vector<telemetry::LabelledSample>> {
    if (query.size() % 2 == 1) return Fail(ErrorCode::kInvalid, "no such thing");
    return std::vector<telemetry::LabelledSample>{{Job("b"), {0, 2}}, {Job("a"), {0, 1}}};
  };
  const std::string expanded = parsed->Expand(about);
  ATALAYA_CHECK(expanded.size() <= 2 * alertd::kMaxTemplateText + 4096 + text.size());
  return 0;
}
