#include "promql/stack_guard.h"

#include <pthread.h>

#include <cstdint>

namespace atalaya::promql {
namespace {

// The lowest address of the calling thread's stack; 0 where the system does not say.
std::uintptr_t StackFloor() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
  void* floor = nullptr;
  std::size_t size = 0;
  const int result = pthread_attr_getstack(&attributes, &floor, &size);
  pthread_attr_destroy(&attributes);
  return result == 0 ? reinterpret_cast<std::uintptr_t>(floor) : 0;
}

}  // namespace

bool StackIsLow() {
  thread_local const std::uintptr_t floor = StackFloor();
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  return here < floor + kStackReserveBytes;
}

}  // namespace atalaya::promql
