#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace atalaya::cloud_server {

// A queue in one growing circle, of less than 2^31 elements: no allocation before the first, none
// in the steady state. It never shrinks by itself; Release gives the memory back. Threads: one at a
// time.
template <typename T>
class RingQueue {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  T& front() { return slots_[head_]; }
  T& operator[](std::size_t index) { return slots_[Place(index)]; }
  const T& operator[](std::size_t index) const { return slots_[Place(index)]; }

  void PushBack(T value) {
    if (size_ == capacity_) Grow();
    slots_[Place(size_)] = std::move(value);
    ++size_;
  }
  T PopFront() {
    T value = std::exchange(slots_[head_], T{});
    head_ = static_cast<std::uint32_t>(Place(1));
    --size_;
    return value;
  }
  void Release() {
    if (empty()) *this = RingQueue();
  }

 private:
  std::size_t Place(std::size_t index) const { return (head_ + index) & (capacity_ - 1); }

  void Grow() {
    const std::uint32_t capacity = capacity_ == 0 ? 8 : capacity_ * 2;
    auto larger = std::make_unique<T[]>(capacity);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    capacity_ = capacity;
    head_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  std::uint32_t capacity_ = 0;  // A power of two.
  std::uint32_t head_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace atalaya::cloud_server
