#include "base/flags.h"

#include <gtest/gtest.h>

namespace atalaya {
namespace {

struct Parsed {
  std::vector<std::string> listen;
  std::int64_t limit = 5;
  bool verbose = false;
  Status status;
};

Parsed ParseArgs(std::vector<const char*> args) {
  Parsed parsed;
  Flags flags("program", "Does a thing.");
  flags.Add("listen", &parsed.listen, "where");
  flags.Add("limit,l", &parsed.limit, "how many");
  flags.AddSwitch("verbose", &parsed.verbose, "says more");
  args.insert(args.begin(), "program");
  parsed.status = flags.Parse(static_cast<int>(args.size()), args.data());
  return parsed;
}

TEST(Flags, ReadsBothFormsAndRepeats) {
  const Parsed parsed = ParseArgs({"--listen", "a:1", "--listen=b:2", "--limit", "7", "--verbose"});
  ASSERT_TRUE(parsed.status) << parsed.status.error().message;
  EXPECT_EQ(parsed.listen, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(parsed.limit, 7);
  EXPECT_TRUE(parsed.verbose);
}

TEST(Flags, AnEmptyValueTakesNoFurtherWord) {
  const Parsed parsed = ParseArgs({"--listen=", "--verbose", "--listen", ""});
  ASSERT_TRUE(parsed.status) << parsed.status.error().message;
  EXPECT_EQ(parsed.listen, (std::vector<std::string>{"", ""}));
  EXPECT_TRUE(parsed.verbose);
}

TEST(Flags, ALetterIsTheSameFlag) { EXPECT_EQ(ParseArgs({"-l", "7"}).limit, 7); }

TEST(Flags, SuggestsTheNearestFlag) {
  EXPECT_EQ(ParseArgs({"--lisen", "a:1"}).status.error().message,
            "unknown flag --lisen; did you mean \"--listen\"?");
}

TEST(Flags, RefusesAWrongTypeAndAStrayWord) {
  EXPECT_FALSE(ParseArgs({"--limit", "many"}).status);
  EXPECT_EQ(ParseArgs({"stray"}).status.error().message, "unexpected argument \"stray\"");
}

}  // namespace
}  // namespace atalaya
