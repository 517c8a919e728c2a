#include "cloud_server/logins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <latch>

#include "base/file.h"
#include "cloud_server/login_delay.h"

namespace atalaya::cloud_server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

class PasswordFileTest : public testing::Test {
 protected:
  PasswordFileTest() {
    std::string pattern = testing::TempDir() + "passwords_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ / "passwords";
  }
  ~PasswordFileTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(PasswordFileTest, KeepsHashesOnlyAndComesBack) {
  PasswordFile file;
  ASSERT_TRUE(file.Set("ann", "secret"));
  ASSERT_TRUE(file.Set("bob", "other"));
  ASSERT_TRUE(file.Save(path_));
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  EXPECT_THAT(*ReadFile(path_), HasSubstr("ann:$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_THAT(*ReadFile(path_), testing::Not(HasSubstr("secret")));

  Result<PasswordFile> again = PasswordFile::Load(path_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->size(), 2u);
  ASSERT_NE(again->Find("ann"), nullptr);
  EXPECT_TRUE(PasswordFits(*again->Find("ann"), "secret"));
  EXPECT_FALSE(PasswordFits(*again->Find("ann"), "other"));
  EXPECT_TRUE(again->Remove("ann"));
  EXPECT_FALSE(again->Remove("ann"));
  EXPECT_EQ(again->Find("ann"), nullptr);
}

TEST_F(PasswordFileTest, IsRefusedWhereOthersMayReadIt) {
  ASSERT_TRUE(PasswordFile().Save(path_));
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  const Result<PasswordFile> file = PasswordFile::Load(path_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kRefused);
  EXPECT_THAT(file.error().message, StartsWith(path_));
}

TEST_F(PasswordFileTest, NamesTheLineOfEachFault) {
  const auto fault = [](const std::string& text) {
    const Result<PasswordFile> file = PasswordFile::Parse(text, "p");
    return file ? std::string() : file.error().message;
  };
  EXPECT_THAT(fault(""), StartsWith("p:1: is not a password file"));
  EXPECT_THAT(fault("ann:x\n"), StartsWith("p:1: is not a password file"));
  EXPECT_THAT(fault("#atalaya passwords 2\n"), StartsWith("p:1: written by a newer"));
  EXPECT_THAT(fault("#atalaya passwords 1\n\nann\n"), StartsWith("p:3: is not USER:HASH"));
  EXPECT_THAT(fault("#atalaya passwords 1\n:x\n"), StartsWith("p:2: \"\" is not a user's name"));
  EXPECT_THAT(fault("#atalaya passwords 1\nann:$2a$10$x\n"),
              StartsWith("p:2: the hash of \"ann\""));
  // Parameters of one's own would cost what nobody has planned.
  EXPECT_THAT(fault("#atalaya passwords 1\nann:$argon2id$v=19$m=4194304,t=2,p=1$"
                    "c29tZXNhbHRzb21lc2FsdA$WWtCHn6Jx4VsEJsYrBRzzlDT8FGLf2BmPIFlLbGCSo0\n"),
              StartsWith("p:2: the hash of \"ann\""));
  const std::string hash = *HashPassword("x");
  EXPECT_EQ(fault("#atalaya passwords 1\n# a remark\nann:" + hash), "");
  EXPECT_THAT(fault("#atalaya passwords 1\nann:" + hash + "\nann:" + hash + "\n"),
              StartsWith("p:3: \"ann\" stands there twice"));
}

TEST_F(PasswordFileTest, RefusesNamesAndPasswordsThatCannotBeKept) {
  PasswordFile file;
  for (const char* user : {"", "a:b", "a\nb", "#a", "\xff"}) EXPECT_FALSE(file.Set(user, "x"));
  EXPECT_FALSE(file.Set("ann", ""));
  EXPECT_FALSE(file.Set("ann", std::string(kMaxPasswordBytes + 1, 'x')));
  EXPECT_EQ(file.size(), 0u);
}

std::shared_ptr<Passwords> WithAnn() {
  PasswordFile file;
  EXPECT_TRUE(file.Set("ann", "secret"));
  return std::make_shared<Passwords>(std::move(file));
}

TEST(PasswordsTest, RemembersWhatWasRightAndNothingElse) {
  const std::shared_ptr<Passwords> passwords = WithAnn();
  EXPECT_FALSE(passwords->Remembers("ann", "secret"));
  EXPECT_FALSE(passwords->Verify("ann", "wrong"));
  EXPECT_FALSE(passwords->Verify("nobody", "nobody"));
  EXPECT_FALSE(passwords->Remembers("nobody", "nobody"));
  EXPECT_TRUE(passwords->Verify("ann", "secret"));
  EXPECT_TRUE(passwords->Remembers("ann", "secret"));
  EXPECT_FALSE(passwords->Remembers("ann", "wrong"));
  EXPECT_FALSE(passwords->Remembers("an", "nsecret"));
}

TEST(PasswordsTest, TellWhetherAUserIsStillTheSame) {
  PasswordFile before;
  ASSERT_TRUE(before.Set("ann", "secret"));
  ASSERT_TRUE(before.Set("bob", "secret"));
  ASSERT_TRUE(before.Set("eve", "secret"));
  PasswordFile after = before;
  ASSERT_TRUE(after.Set("bob", "changed"));
  after.Remove("eve");
  const Passwords old_ones(std::move(before));
  const Passwords new_ones(std::move(after));
  EXPECT_TRUE(new_ones.SameUser(old_ones, "ann"));
  EXPECT_FALSE(new_ones.SameUser(old_ones, "bob"));
  EXPECT_FALSE(new_ones.SameUser(old_ones, "eve"));
}

TEST(LoginPoolTest, AnswersEachLoginOnce) {
  const std::shared_ptr<Passwords> passwords = WithAnn();
  LoginPool pool(2);
  std::latch done(20);
  std::atomic<int> good{0};
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(pool.Submit({passwords, "ann", i % 2 == 0 ? "secret" : "wrong", [&](bool is_good) {
                               good += is_good ? 1 : 0;
                               done.count_down();
                             }}));
  }
  done.wait();
  EXPECT_EQ(good, 10);
}

TEST(LoginPoolTest, RefusesMoreThanMayWaitAndEndsWithoutThem) {
  const std::shared_ptr<Passwords> passwords = WithAnn();
  std::atomic<int> answered{0};
  std::size_t taken = 0;
  {
    LoginPool pool(1);
    while (pool.Submit({passwords, "ann", "wrong", [&](bool) { ++answered; }})) ++taken;
  }
  EXPECT_GE(taken, kMaxWaitingLogins);
  EXPECT_LT(static_cast<std::size_t>(answered.load()), taken);
}

TEST(LoginDelaysTest, SlowAnAddressAfterItsFreeFailures) {
  FakeClock clock;
  LoginDelays delays(clock);
  for (std::uint32_t i = 0; i < kFreeLoginFailures; ++i) {
    EXPECT_EQ(delays.TakeTurn("a"), milliseconds(0));
    delays.NoteFailure("a");
  }
  EXPECT_EQ(delays.TakeTurn("a"), milliseconds(0));
  delays.NoteFailure("a");
  EXPECT_EQ(delays.TakeTurn("a"), milliseconds(250));
  EXPECT_EQ(delays.TakeTurn("a"), milliseconds(500));  // One after the other.
  EXPECT_EQ(delays.TakeTurn("b"), milliseconds(0));
  clock.Advance(seconds(1));
  delays.NoteFailure("a");
  EXPECT_EQ(delays.TakeTurn("a"), milliseconds(500));
}

TEST(LoginDelaysTest, HaveALongestPauseAndRefuseWhoWouldWaitLonger) {
  FakeClock clock;
  LoginDelays delays(clock);
  for (int i = 0; i < 100; ++i) delays.NoteFailure("a");
  EXPECT_EQ(delays.TakeTurn("a"), kLongestLoginPause);
  EXPECT_EQ(delays.TakeTurn("a"), std::nullopt);
  clock.Advance(kLongestLoginPause);
  EXPECT_EQ(delays.TakeTurn("a"), kLongestLoginPause);
}

TEST(LoginDelaysTest, Fade) {
  FakeClock clock;
  LoginDelays delays(clock);
  for (int i = 0; i < 100; ++i) delays.NoteFailure("a");
  clock.Advance(kLoginFailuresFade + seconds(1));
  EXPECT_EQ(delays.TakeTurn("a"), milliseconds(0));
  EXPECT_EQ(delays.size(), 0u);
}

TEST(LoginDelaysTest, KeepTheLatestOfTooManyAddresses) {
  FakeClock clock;
  LoginDelays delays(clock);
  for (int i = 0; i < 10; ++i) delays.NoteFailure("first");
  for (std::size_t i = 0; i < kMaxSlowedAddresses; ++i) {
    clock.Advance(milliseconds(1));
    delays.NoteFailure(std::to_string(i));
  }
  EXPECT_EQ(delays.size(), kMaxSlowedAddresses);
  EXPECT_EQ(delays.TakeTurn("first"), milliseconds(0));
}

TEST(AddressKey, TakesTheNetworkOfAnIpv6HostForIt) {
  EXPECT_EQ(AddressKey("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(AddressKey("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(AddressKey("2001:db8::1"), AddressKey("2001:db8::ffff:1"));
  EXPECT_NE(AddressKey("2001:db8::1"), AddressKey("2001:db8:0:1::1"));
}

}  // namespace
}  // namespace atalaya::cloud_server
