#include "base/net.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

namespace atalaya {
namespace {

using testing::HasSubstr;

TEST(Net, ParsesAddresses) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:1883")->port, 1883);
  EXPECT_EQ(ParseHostPort("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseHostPort("[::1]:1883")->ToString(), "[::1]:1883");
  EXPECT_EQ(ParseHostPort(":80")->host, "");
  for (const char* text : {"", "x", "1883", "a:", "a:70000", "::1:80", "[]:1", "a:1x", "a:-1"}) {
    EXPECT_FALSE(ParseHostPort(text)) << text;
  }
}

TEST(Net, TellsLoopback) {
  EXPECT_TRUE(IsLoopback("127.1.2.3"));
  EXPECT_TRUE(IsLoopback("::1"));
  EXPECT_FALSE(IsLoopback("10.0.0.1"));
  EXPECT_FALSE(IsLoopback(""));
}

TEST(Net, APortInUseNamesItsHolder) {
  const Result<UniqueFd> first = ListenTcp({"127.0.0.1", 0});
  ASSERT_TRUE(first) << first.error().message;
  const HostPort address = *LocalAddress(first->get());
  const Result<UniqueFd> second = ListenTcp(address);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_THAT(second.error().message, HasSubstr("in use by base_test (pid "));
}

TEST(Net, ConnectsToAListener) {
  const Result<UniqueFd> listener = ListenTcp({"127.0.0.1", 0});
  ASSERT_TRUE(listener);
  const Result<UniqueFd> client = StartConnectTcp(*LocalAddress(listener->get()));
  ASSERT_TRUE(client);
  pollfd writable{client->get(), POLLOUT, 0};
  ASSERT_EQ(poll(&writable, 1, 5000), 1);
  EXPECT_EQ(SocketError(client->get()), 0);
}

TEST(ResolveTcp, KeepsNumbersAndRefusesWhatHasNoAddress) {
  const Result<std::vector<HostPort>> number = ResolveTcp({"::1", 1883});
  ASSERT_TRUE(number) << number.error().message;
  ASSERT_EQ(number->size(), 1u);
  EXPECT_EQ(number->front().ToString(), "[::1]:1883");
  const Result<std::vector<HostPort>> nothing = ResolveTcp({"no such host", 1883});
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace atalaya
