#include "alertd/rules/prometheus_import.h"

#include <gtest/gtest.h>

#include "alertd/rules/prometheus_export.h"

namespace atalaya::alertd {
namespace {

std::string FaultsOf(std::string_view yaml) {
  const auto rules = ParsePrometheusRules(yaml, "a.yml");
  return rules ? "" : rules.error().message;
}

TEST(PrometheusImport, NamesEveryFaultWithItsPlace) {
  EXPECT_EQ(FaultsOf(R"(groups:
- name: a
  interval: 5x
  rules:
  - alert: A
    expr: up ==
    labels: {alertname: x, 1a: y}
    annotations: {summary: "{{ $labels.job"}
  - alert: B
    record: b
    expr: up[5m]
  - alert: C
    expr: up
    fro: 1m
- name: a
  query_offset: 1m
)"),
            R"(a.yml:3:13: interval: "5x" is not a duration (write 30s, 5m, 2h or 1d)
a.yml:6:11: expr: 1:6: parse error: unexpected end of input
a.yml:7:13: labels: "1a" is no name (write letters, digits and _)
a.yml:7:13: labels: "alertname" is set by cloud_alertd itself
a.yml:8:18: annotations: summary: 1:1: "{{" without "}}"
a.yml:9:5: a rule has either "record" or "alert"
a.yml:11:11: expr: yields a range vector; a rule needs an instant vector or a scalar
a.yml:14:5: unknown key "fro"; did you mean "for"?
a.yml:15:9: name: "a" is there already
a.yml:16:17: query_offset: there is none here: rules judge what is there now)");
}

TEST(PrometheusImport, RefusesWhatIsNoRuleFile) {
  EXPECT_EQ(FaultsOf("- a\n- b\n"), "a.yml:1:1: the file: expected a mapping");
  EXPECT_EQ(FaultsOf("groups: 5\n"), "a.yml:1:9: groups: expected a list of mappings");
  EXPECT_EQ(FaultsOf("groups: [\n").substr(0, 8), "a.yml:2:");
  EXPECT_EQ(FaultsOf("groups: []\ngroups: []\n"), "a.yml:2:1: \"groups\" is given twice");
  EXPECT_EQ(FaultsOf(""), "");
}

// Whatever a text holds, it comes back from the TOML as it was.
TEST(PrometheusImport, WritesTextsThatReadBackAsTheyWere) {
  for (const std::string text :
       {"plain", "it's", "say \"it\"", "it's \"both\"", "a\\b", "two\nlines\n",
        "two 'quoted'\nlines", "'''\n", "tab\tand\x01\x7f", "ends with '\n'", ""}) {
    PrometheusRule rule;
    rule.rule.group = "g";
    rule.rule.alert = "A";
    rule.expr = "up";
    rule.rule.annotations.emplace("note", TextTemplate::Parse(text).value());
    const auto again = ParseRules(ToToml({rule}), "a.toml");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->at(0).annotations.at("note").source(), text);
  }
}

TEST(PrometheusExport, SaysWhatYamlCannot) {
  const auto rules = ParseRules(R"toml(
[[group]]
name = "g"
interval = "30s"
limit = 5
[[group.rule]]
alert = "Disk"
disk = { free_below = "1GiB", recover = "2GiB" }
limit = 7
[[group.rule]]
record = "a:b"
expr = "sum(up)")toml",
                                "a.toml");
  ASSERT_TRUE(rules) << rules.error().message;
  const auto exported = ToPrometheusYaml(*rules);
  ASSERT_TRUE(exported);
  ASSERT_EQ(exported->losses.size(), 4u);
  EXPECT_TRUE(exported->losses[0].starts_with("a.toml:6:1: Disk: recover: "));
  EXPECT_TRUE(exported->losses[1].starts_with("a.toml:6:1: Disk: no_data = \"keep\": "));
  EXPECT_EQ(exported->losses[2], "a.toml:6:1: Disk: limit = 7: only a group has one");
  EXPECT_EQ(exported->losses[3], "a.toml:10:1: a:b: limit = 5: only a group has one");
  EXPECT_NE(exported->yaml.find("# lost: recover: "), std::string::npos);
  const auto again = ParsePrometheusRules(exported->yaml, "a.yml");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->at(0).rule.interval, std::chrono::seconds(30));
  EXPECT_EQ(again->at(1).rule.record, "a:b");
}

TEST(PrometheusExport, RefusesTwoGroupsOfOneName) {
  auto rules = ParseRules("[[rule]]\nalert = \"A\"\nexpr = \"up\"", "x/a.toml").value();
  rules.push_back(ParseRules("[[rule]]\nalert = \"A\"\nexpr = \"up\"", "y/a.toml").value().at(0));
  const auto exported = ToPrometheusYaml(rules);
  ASSERT_FALSE(exported);
  EXPECT_TRUE(
      exported.error().message.starts_with("y/a.toml:1:1: the group \"a\" is there already"));
}

}  // namespace
}  // namespace atalaya::alertd
