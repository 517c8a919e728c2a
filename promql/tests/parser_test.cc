#include "promql/parser.h"

#include <gtest/gtest.h>

#include <string>

namespace atalaya::promql {
namespace {

// What the query prints as once read, or the error's message.
std::string Printed(std::string_view query) {
  Result<ExprPtr> expr = Parse(query);
  return expr ? ToString(**expr) : expr.error().message;
}

TEST(PromqlParser, PrintsWhatItReadInOneLayout) {
  const std::pair<std::string, std::string> cases[] = {
      {"up", "up"},
      {"up{job=\"node\",x!='y'}", "up{job=\"node\",x!=\"y\"}"},
      {"{\"http.requests\", \"host name\"=~`a.+`}", "{\"http.requests\",\"host name\"=~\"a.+\"}"},
      {"rate(x_total[5m])", "rate(x_total[5m])"},
      {"rate(x_total[300])", "rate(x_total[5m])"},
      {"SUM(x) BY (job, instance)", "sum by (job, instance) (x)"},
      {"sum without () (x)", "sum without () (x)"},
      {"topk(3, x)", "topk(3, x)"},
      {"a + b * c", "a + b * c"},
      {"(a + b) * c", "(a + b) * c"},
      {"a == bool on (x) group_left (y) b", "a == bool on (x) group_left (y) b"},
      {"x offset 5m @ 1.5", "x @ 1.500 offset 5m"},
      {"x[5m] @ end() offset -1m", "x[5m] @ end() offset -1m"},
      {"rate(x[1m])[30m:10s] offset 1h", "rate(x[1m])[30m:10s] offset 1h"},
      {"x[1h:]", "x[1h:]"},
      {"-x ^ 2", "-x ^ 2"},
      {"0x1F + 1_000 + 5m + Inf", "31 + 1000 + 5m + +Inf"},
      {"sum", "sum"},
      {"# a word\n up # and another", "up"},
      {"\"a\\nb\\x41\"", "\"a\\nbA\""},
  };
  for (const auto& [query, printed] : cases) {
    EXPECT_EQ(Printed(query), printed) << query;
    EXPECT_EQ(Printed(printed), printed);
  }
}

TEST(PromqlParser, PutsParenthesesWhereABuiltTreeNeedsThem) {
  ExprPtr sum = *MakeBinary(BinaryOp::kAdd, *MakeSelector("a"), *MakeSelector("b"));
  ExprPtr product = *MakeBinary(BinaryOp::kMul, sum, MakeNumber(2));
  EXPECT_EQ(ToString(*product), "(a + b) * 2");
  EXPECT_EQ(ToString(**MakeBinary(BinaryOp::kPow, MakeNumber(-2), MakeNumber(2))), "(-2) ^ 2");
  EXPECT_EQ(ToString(**MakeUnary(true, sum)), "-(a + b)");
}

TEST(PromqlParser, NamesThePlaceOfAFault) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "1:1: parse error: no expression found in input"},
      {"1 +", "1:4: parse error: unexpected end of input"},
      {"up{job=}", "1:8: parse error: unexpected \"}\" in label matching, expected string"},
      {"up{job='a'", "1:11: parse error: unexpected end of input inside braces"},
      {"a\n  + )", "2:5: parse error: unexpected \")\""},
      {"foo(up)", "1:1: parse error: unknown function with name \"foo\""},
      {"rate(up)",
       "1:6: parse error: expected type range vector in call to function \"rate\", got instant "
       "vector"},
      {"abs()", "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 0"},
      {"1 == 2", "1:1: parse error: comparisons between scalars must use BOOL modifier"},
      {"{x=''}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
      {"up{x=~'('}", "1:1: parse error: error parsing regexp: missing ): ("},
      {"up[0s]", "1:4: parse error: duration must be greater than 0"},
      {"(up) offset 5m",
       "1:1: parse error: offset modifier must be preceded by an instant vector selector or range "
       "vector selector or a subquery"},
      {"up offset 1m offset 2m", "1:14: parse error: offset may not be set multiple times"},
      {"5z", "1:1: parse error: bad number or duration syntax: \"5z\""},
      {"'abc", "1:1: parse error: unterminated quoted string"},
  };
  for (const auto& [query, message] : cases) EXPECT_EQ(Printed(query), message) << query;
}

TEST(PromqlParser, RefusesByNameWhatIsExperimental) {
  for (const std::string query : {"sort_by_label(up, 'job')", "limitk(2, up)", "up[5m + 1m]",
                                  "rate(up[5m] smoothed)", "a + fill(0) b"}) {
    Result<ExprPtr> expr = Parse(query);
    ASSERT_FALSE(expr) << query;
    EXPECT_EQ(expr.error().code, ErrorCode::kRefused) << expr.error().message;
  }
}

TEST(PromqlParser, BoundsDepthAndLength) {
  const std::string deep = std::string(5000, '(') + "1" + std::string(5000, ')');
  EXPECT_NE(Printed(deep).find("nested deeper than 200 levels"), std::string::npos);
  EXPECT_NE(Printed(std::string(5000, '-') + "x").find("nested deeper"), std::string::npos);
  std::string chain = "1";
  for (int i = 0; i < 5000; ++i) chain += "+1";
  EXPECT_NE(Printed(chain).find("nested deeper"), std::string::npos);
  Result<ExprPtr> huge = Parse(std::string(kMaxQueryBytes + 1, ' '));
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace atalaya::promql
