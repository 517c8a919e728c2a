#include "alertd/templates/text_template.h"

#include <gtest/gtest.h>

#include <cmath>

namespace atalaya::alertd {
namespace {

// Knows two series of `up`.
Result<std::vector<telemetry::LabelledSample>> Ask(const std::string& query) {
  if (query != "up") return Fail(ErrorCode::kInvalid, "1:1: parse error");
  std::vector<telemetry::LabelledSample> samples(2);
  samples[0].labels.Set("job", "node");
  samples[0].sample.value = 1;
  samples[1].labels.Set("job", "db");
  return samples;
}

std::string Expand(std::string_view text, double value) {
  const Result<TextTemplate> parsed = TextTemplate::Parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? parsed->Expand({telemetry::Labels({{"a", "x"}, {"n", "2048"}}), value, Ask}) : "";
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

TEST(TextTemplate, FormatsAsPrometheusDoes) {
  EXPECT_EQ(Expand("{{ humanizeDuration $value }}", 93784), "1d 2h 3m 4s");
  EXPECT_EQ(Expand("{{ humanizeDuration $value }}", 0.0201), "20.1ms");
  EXPECT_EQ(Expand("{{ humanizePercentage $value }}", 0.1234567), "12.35%");
  EXPECT_EQ(Expand("{{ humanizeTimestamp $value }}", 1435065584.5),
            "2015-06-23 13:19:44.5 +0000 UTC");
  EXPECT_EQ(Expand(R"({{ printf "%.2f of %s%%" $value "it" }})", 1.005), "1.00 of it%");
  EXPECT_EQ(Expand(R"({{ reReplaceAll "(.*):\\d+" "$1" "host:9100" | toUpper }})", 0), "HOST");
  EXPECT_EQ(Expand(R"({{ "two words" | title }} {{ match "^x" $labels.a }})", 0), "Two Words true");
}

TEST(TextTemplate, DecidesAndRepeats) {
  constexpr std::string_view kSize =
      "{{ if gt $value 10.0 }}big{{ else if eq $value 5.0 }}five"
      "{{ else }}small{{ end }}";
  EXPECT_EQ(Expand(kSize, 11), "big");
  EXPECT_EQ(Expand(kSize, 5), "five");
  EXPECT_EQ(Expand(kSize, 1), "small");
  EXPECT_EQ(Expand("{{ range query \"up\" }}{{ .Labels.job }}={{ .Value }} {{ end }}", 0),
            "node=1 db=0 ");
  EXPECT_EQ(Expand("{{ range $k, $v := $labels }}{{ $k }}:{{ $v }};{{ end }}", 0), "a:x;n:2048;");
  EXPECT_EQ(Expand("{{ with query \"up\" }}{{ . | first | label \"job\" }}{{ end }}", 0), "node");
  EXPECT_EQ(Expand("a {{- $x := 3 -}} b{{ $x }}{{/* a remark */}}", 0), "ab3");
  EXPECT_EQ(Expand("{{ .Labels.a }}{{ .Value }}", 2), "x2");
}

TEST(TextTemplate, KeepsTheTextAndTheErrorWhereAFunctionDoesNotApply) {
  EXPECT_EQ(Expand("{{ humanize $labels.a }}", 0),
            "{{ humanize $labels.a }} (humanize: \"x\" is not a number)");
  EXPECT_EQ(Expand("{{ query \"up{\" }}", 0), "{{ query \"up{\" }} (query: 1:1: parse error)");
}

TEST(TextTemplate, NamesFaultsWithTheirPlace) {
  EXPECT_EQ(FaultOf("ab {{ $value"), "1:4: \"{{\" without \"}}\"");
  EXPECT_EQ(FaultOf("{{ humanise $value }}"),
            "1:1: unknown function \"humanise\"; did you mean \"humanize\"?");
  EXPECT_EQ(FaultOf("{{ $label.x }}"), "1:1: \"$label.x\" is neither $value nor $labels.NAME");
  EXPECT_EQ(FaultOf("x {{ if $value }}"), "1:3: has no {{ end }}");
  EXPECT_EQ(FaultOf("{{ end }}"), "1:1: \"end\" without if, range or with");
}

}  // namespace
}  // namespace atalaya::alertd
