#include "base/suggest.h"

#include <gtest/gtest.h>

namespace atalaya {
namespace {

TEST(Suggest, FindsASlipAndNotAnotherWord) {
  EXPECT_EQ(Nearest("servity", {"alert", "severity", "expr"}), "severity");
  EXPECT_EQ(Nearest("alret", {"alert", "expr"}), "alert");
  EXPECT_EQ(Nearest("banana", {"alert", "expr"}), "");
  EXPECT_EQ(DidYouMean("lisen", {"listen"}), "; did you mean \"listen\"?");
  EXPECT_EQ(DidYouMean("", {"a"}), "");
}

}  // namespace
}  // namespace atalaya
