#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace atalaya::cloud_server {

// A queue in one growing circle: no allocation while it is empty, none in the steady state. It
// never shrinks by itself; Release gives the memory back. Threads: one at a time.
template <typename T>
class RingQueue {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  T& front() { return slots_[head_]; }
  T& operator[](std::size_t index) { return slots_[(head_ + index) & (slots_.size() - 1)]; }
  const T& operator[](std::size_t index) const {
    return slots_[(head_ + index) & (slots_.size() - 1)];
  }

  void PushBack(T value) {
    if (size_ == slots_.size()) Grow();
    slots_[(head_ + size_) & (slots_.size() - 1)] = std::move(value);
    ++size_;
  }
  T PopFront() {
    T value = std::exchange(slots_[head_], T{});
    head_ = (head_ + 1) & (slots_.size() - 1);
    --size_;
    return value;
  }
  void Release() {
    if (empty()) std::vector<T>().swap(slots_);
  }

 private:
  void Grow() {
    std::vector<T> larger(slots_.empty() ? 8 : slots_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_.swap(larger);
    head_ = 0;
  }

  std::vector<T> slots_;  // A power of two.
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace atalaya::cloud_server
