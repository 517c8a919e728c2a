#include "alertd/collect/probe/plugin_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::alertd {
namespace {

std::vector<std::pair<std::string, double>> FiguresOf(std::string_view output) {
  std::vector<std::pair<std::string, double>> figures;
  for (const PluginOutput::Value& value : ReadPluginOutput(output).values)
    figures.emplace_back(value.label, value.value);
  return figures;
}

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(PluginOutput, KeepsTheFirstLineAsText) {
  EXPECT_EQ(ReadPluginOutput("DISK OK - free space: / 3326 MB (56%); | /=2643MB\nmore\n").text,
            "DISK OK - free space: / 3326 MB (56%);");
  EXPECT_EQ(ReadPluginOutput("").text, "");
  EXPECT_EQ(ReadPluginOutput("a\tb\x01").text, "a b");
  EXPECT_EQ(ReadPluginOutput("50 \xb0 C").text, "50 ? C");
  EXPECT_EQ(ReadPluginOutput("50 \xc2\xb0 C").text, "50 \xc2\xb0 C");
  EXPECT_EQ(ReadPluginOutput(std::string(kMaxPluginTextBytes - 1, 'x') + "\xc2\xb0").text,
            std::string(kMaxPluginTextBytes - 1, 'x'));
}

TEST(PluginOutput, ReadsFiguresOfAllLinesInBaseUnits) {
  EXPECT_THAT(
      FiguresOf("OK|/=2643MB;5948;5958;0;5968 time=12ms;;;0 load=0.5;1;2 users=3c 'a b'=7%\n"
                "text without\nlast | 'it''s'=-1.5s\nsize=2KB"),
      ElementsAre(Pair("/", 2643.0 * 1024 * 1024), Pair("time", 0.012), Pair("load", 0.5),
                  Pair("users", 3), Pair("a b", 7), Pair("it's", -1.5), Pair("size", 2048)));
}

TEST(PluginOutput, PassesOverWhatIsNoFigure) {
  EXPECT_THAT(FiguresOf("OK|a=U;; b= c 'd=1 e=nan"), IsEmpty());
  EXPECT_THAT(FiguresOf("OK|=1 ''=2 a=1 a=2 'b"), ElementsAre(Pair("a", 1)));
  EXPECT_THAT(FiguresOf("OK|"), IsEmpty());
  std::string many = "OK|";
  for (std::size_t i = 0; i < 2 * kMaxPerfValues; ++i) many += "x" + std::to_string(i) + "=1 ";
  EXPECT_EQ(FiguresOf(many).size(), kMaxPerfValues);
}

}  // namespace
}  // namespace atalaya::alertd
