#include "base/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <thread>

namespace atalaya {
namespace {

class CountingHandler : public IoHandler {
 public:
  explicit CountingHandler(std::function<void()> on_io) : on_io_(std::move(on_io)) {}
  void OnIo(std::uint32_t) override { on_io_(); }

 private:
  std::function<void()> on_io_;
};

TEST(EventLoop, RunsTimersInOrderOfDueTime) {
  auto loop = *EventLoop::Create();
  std::vector<int> order;
  loop->RunAfter(std::chrono::milliseconds(2), [&] {
    order.push_back(2);
    loop->Stop();
  });
  loop->RunAfter(std::chrono::milliseconds(1), [&] { order.push_back(1); });
  const TimerId cancelled =
      loop->RunAfter(std::chrono::milliseconds(1), [&] { order.push_back(9); });
  loop->CancelTimer(cancelled);
  loop->Run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(EventLoop, RunsPostsFromAnotherThread) {
  auto loop = *EventLoop::Create();
  std::thread::id ran_on;
  std::thread poster([&] {
    loop->Post([&] { ran_on = std::this_thread::get_id(); });
    loop->Stop();
  });
  loop->Run();
  poster.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(EventLoop, ARemovedHandlerHearsNothingMoreInTheSameTurn) {
  auto loop = *EventLoop::Create();
  const UniqueFd a(eventfd(1, EFD_NONBLOCK));
  const UniqueFd b(eventfd(1, EFD_NONBLOCK));
  int calls = 0;
  std::unique_ptr<CountingHandler> first, second;
  const auto remove_both = [&] {
    ++calls;
    loop->Remove(a.get(), first.get());
    loop->Remove(b.get(), second.get());
    loop->Stop();
  };
  first = std::make_unique<CountingHandler>(remove_both);
  second = std::make_unique<CountingHandler>(remove_both);
  ASSERT_TRUE(loop->Add(a.get(), EPOLLIN, first.get()));
  ASSERT_TRUE(loop->Add(b.get(), EPOLLIN, second.get()));
  loop->Run();
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, IsLentOutBetweenItsTurnsOnly) {
  auto loop = *EventLoop::Create();
  EXPECT_FALSE(loop->TryBorrow(0)) << "before Run";
  bool lent_in_turn = true;
  std::thread asker;
  loop->Post([&] {
    asker = std::thread([&] { lent_in_turn = static_cast<bool>(loop->TryBorrow(0)); });
    asker.join();
  });
  std::thread runner([&] { loop->Run(); });
  bool timer_ran = false;
  while (true) {  // Until it has done its post and sleeps.
    const EventLoop::Borrowed borrowed = loop->TryBorrow(0);
    if (!borrowed) continue;
    loop->RunAfter({}, [&] {  // Due long before the loop would wake by itself.
      timer_ran = true;
      loop->Stop();
    });
    break;
  }
  runner.join();
  EXPECT_TRUE(timer_ran);
  EXPECT_FALSE(lent_in_turn);
  EXPECT_FALSE(loop->TryBorrow(0)) << "after Run";
}

}  // namespace
}  // namespace atalaya
