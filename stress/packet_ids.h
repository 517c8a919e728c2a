#pragma once

#include <cstdint>
#include <vector>

namespace atalaya::stress {

// The packet ids of a publisher's messages that are not acknowledged yet, and which sequence each
// one is. An id is used again as soon as it is free. Threads: one at a time.
class PacketIds {
 public:
  std::uint16_t Take(std::uint32_t sequence) {
    if (free_.empty()) {
      sequence_of_.push_back(sequence);
      return static_cast<std::uint16_t>(sequence_of_.size());
    }
    const std::uint16_t id = free_.back();
    free_.pop_back();
    sequence_of_[id - 1u] = sequence;
    return id;
  }

  bool Uses(std::uint16_t id) const {
    return id > 0 && id <= sequence_of_.size() && sequence_of_[id - 1u] != kFree;
  }
  std::uint32_t SequenceOf(std::uint16_t id) const { return sequence_of_[id - 1u]; }

  void Release(std::uint16_t id) {
    sequence_of_[id - 1u] = kFree;
    free_.push_back(id);
  }

  std::size_t used() const { return sequence_of_.size() - free_.size(); }
  void Clear() {
    sequence_of_.clear();
    free_.clear();
  }

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX;
  std::vector<std::uint32_t> sequence_of_;  // By id, less one.
  std::vector<std::uint16_t> free_;
};

}  // namespace atalaya::stress
