#include "cloud_server/output.h"

#include <sys/uio.h>

#include <algorithm>

namespace atalaya::cloud_server {
namespace {

constexpr std::size_t kVectorsPerSend = 64;
constexpr std::size_t kNewBufferBytes = 1u << 10;  // Those of busy connections grow, and stay.
constexpr std::size_t kKeptBuffers = 1024;
constexpr std::size_t kKeptBufferBytes = 256u << 10;  // A larger one is not worth keeping.

}  // namespace

std::string BufferPool::Take() {
  std::string buffer;
  if (free_.empty()) {
    buffer.reserve(kNewBufferBytes);
  } else {
    buffer = std::move(free_.back());
    free_.pop_back();
  }
  return buffer;
}

void BufferPool::Give(std::string buffer) {
  if (free_.size() >= kKeptBuffers || buffer.capacity() > kKeptBufferBytes) return;
  buffer.clear();
  free_.push_back(std::move(buffer));
}

void Output::GiveTailBack() {
  if (tail_.capacity() >= kSmallestBuffer) pool_->Give(std::move(tail_));
  tail_ = std::string();
  tail_sent_ = 0;
}

void Output::AppendPayload(MessagePtr message) {
  if (tail_.size() > tail_sent_) {
    Chunk copied;
    copied.bytes = tail_.substr(tail_sent_);
    chunk_bytes_ += copied.bytes.size();
    chunks_.PushBack(std::move(copied));
  }
  tail_.clear();
  tail_sent_ = 0;
  Chunk shared;
  shared.message = std::move(message);
  chunk_bytes_ += shared.View().size();
  chunks_.PushBack(std::move(shared));
}

Output::Outcome Output::Flush(int fd, Transport* transport, std::size_t* sent) {
  while (!empty()) {
    iovec vectors[kVectorsPerSend];
    std::size_t count = 0;
    for (; count < chunks_.size() && count < kVectorsPerSend; ++count) {
      std::string_view view = chunks_[count].View();
      if (count == 0) view.remove_prefix(chunk_sent_);
      vectors[count] = {const_cast<char*>(view.data()), view.size()};
    }
    if (count < kVectorsPerSend && tail_.size() > tail_sent_) {
      vectors[count++] = {tail_.data() + tail_sent_, tail_.size() - tail_sent_};
    }
    const IoResult result = WriteThrough(transport, fd, {vectors, count});
    *sent += result.bytes;
    Consume(result.bytes);
    if (result.state == IoState::kBlocked) return Outcome::kBlocked;
    if (result.state != IoState::kDone) return Outcome::kFailed;
  }
  while (transport != nullptr && transport->HasUnsent()) {
    const IoResult result = transport->Write(fd, {});
    if (result.state == IoState::kBlocked) return Outcome::kBlocked;
    if (result.state != IoState::kDone) return Outcome::kFailed;
  }
  return Outcome::kEmpty;
}

void Output::Consume(std::size_t bytes) {
  while (bytes > 0 && !chunks_.empty()) {
    const std::size_t left = chunks_.front().View().size() - chunk_sent_;
    const std::size_t taken = std::min(left, bytes);
    bytes -= taken;
    chunk_bytes_ -= taken;
    chunk_sent_ += taken;
    if (taken == left) {
      chunks_.PopFront();
      chunk_sent_ = 0;
    }
  }
  tail_sent_ += bytes;
  if (chunks_.empty()) chunks_.Release();
  if (tail_sent_ == tail_.size()) {
    GiveTailBack();
  } else if (tail_sent_ > tail_.size() / 2) {
    tail_.erase(0, tail_sent_);
    tail_sent_ = 0;
  }
}

}  // namespace atalaya::cloud_server
