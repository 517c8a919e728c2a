#include "base/task_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace atalaya {
namespace {

TEST(TaskPool, RunsOnAnotherThreadAndReturnsWhenDone) {
  TaskPool pool(4);
  std::thread::id ran_on;
  pool.Run([&] { ran_on = std::this_thread::get_id(); });
  EXPECT_NE(ran_on, std::thread::id());
  EXPECT_NE(ran_on, std::this_thread::get_id());
  const std::thread::id first = ran_on;
  pool.Run([&] { ran_on = std::this_thread::get_id(); });
  EXPECT_EQ(ran_on, first) << "an idle thread is used again";
}

TEST(TaskPool, RunsAsManyAtOnceAsItHasThreads) {
  TaskPool pool(3);
  std::latch all(3);
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] { pool.Run([&] { all.arrive_and_wait(); }); });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(TaskPool, MakesFurtherCallersWait) {
  TaskPool pool(2);
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::atomic<int> ran = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        pool.Run([&] {
          const int now = ++inside;
          int seen = most;
          while (now > seen && !most.compare_exchange_weak(seen, now)) {
          }
          ++ran;
          --inside;
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(ran, 800);
  EXPECT_LE(most, 2);
}

}  // namespace
}  // namespace atalaya
