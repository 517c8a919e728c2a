#include "alertd/rules/text_template.h"

#include <gtest/gtest.h>

#include <cmath>

namespace atalaya::alertd {
namespace {

std::string Expand(std::string_view text, double value) {
  const Result<TextTemplate> parsed = TextTemplate::Parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? parsed->Expand(telemetry::Labels({{"a", "x"}, {"n", "2048"}}), value) : "";
}

std::string FaultOf(std::string_view text) {
  const Result<TextTemplate> parsed = TextTemplate::Parse(text);
  return parsed ? "" : parsed.error().message;
}

TEST(TextTemplate, PutsInLabelsAndTheValue) {
  EXPECT_EQ(Expand("{{ $labels.a }}: {{$value}}!", 0.5), "x: 0.5!");
  EXPECT_EQ(Expand("plain", 1), "plain");
  EXPECT_EQ(Expand("[{{ $labels.absent }}]", 1), "[]");
  EXPECT_EQ(Expand("{{ $value }}", INFINITY), "+Inf");
}

TEST(TextTemplate, AppliesFunctionsInBothNotations) {
  EXPECT_EQ(Expand("{{ humanize $value }}", 1234567), "1.235M");
  EXPECT_EQ(Expand("{{ $value | humanize }}", 0.0125), "12.5m");
  EXPECT_EQ(Expand("{{ humanize1024 $labels.n }}B", 0), "2kiB");
}

TEST(TextTemplate, KeepsThePlainTextWhereAFunctionDoesNotApply) {
  EXPECT_EQ(Expand("{{ humanize $labels.a }}", 0), "x (humanize: not a number)");
}

TEST(TextTemplate, NamesFaultsWithTheirPlace) {
  EXPECT_EQ(FaultOf("ab {{ $value"), "1:4: \"{{\" without \"}}\"");
  EXPECT_EQ(FaultOf("{{ humanise $value }}"),
            "1:1: unknown function \"humanise\" (known: humanize, humanize1024); did you mean "
            "\"humanize\"?");
  EXPECT_EQ(FaultOf("{{ $label.x }}"), "1:1: \"$label.x\" is neither $value nor $labels.NAME");
}

}  // namespace
}  // namespace atalaya::alertd
