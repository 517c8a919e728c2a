#include "cloud_server/held_packets.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "base/unique_fd.h"

namespace atalaya::cloud_server {
namespace {

class HeldPacketsTest : public testing::Test {
 protected:
  std::string Released(Ticket ticket) {
    Output output(&pool_);
    held_.Release(ticket, &output);
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const UniqueFd near(ends[0]), far(ends[1]);
    std::size_t sent = 0;
    EXPECT_EQ(output.Flush(near.get(), nullptr, &sent), Output::Outcome::kEmpty);
    std::array<char, 256> buffer;
    const ssize_t got = sent == 0 ? 0 : read(far.get(), buffer.data(), buffer.size());
    return std::string(buffer.data(), static_cast<std::size_t>(got));
  }

  BufferPool pool_;
  HeldPackets held_;
};

TEST_F(HeldPacketsTest, GoInOrderOnceTheirTicketIsReached) {
  held_.Tail(3)->append("a");
  held_.Tail(3)->append("b");
  held_.Tail(5)->append("c");
  EXPECT_EQ(held_.bytes(), 3u);
  EXPECT_EQ(Released(2), "");
  EXPECT_EQ(Released(4), "ab");
  EXPECT_EQ(Released(5), "c");
  EXPECT_TRUE(held_.empty());
}

TEST_F(HeldPacketsTest, NeverPassOneThatWaitsLonger) {
  held_.Tail(7)->append("a");
  held_.Tail(0)->append("b");
  EXPECT_EQ(Released(6), "");
  EXPECT_EQ(Released(7), "ab");
}

TEST_F(HeldPacketsTest, APayloadStandsBehindItsHeader) {
  mqtt::Publish packet;
  packet.payload = "payload";
  held_.Tail(1)->append("head ");
  held_.AppendPayload(Message::Copy(packet));
  held_.Tail(0)->append(" next");
  EXPECT_EQ(held_.bytes(), 17u);
  EXPECT_EQ(Released(1), "head payload next");
}

}  // namespace
}  // namespace atalaya::cloud_server
