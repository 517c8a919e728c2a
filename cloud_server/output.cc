#include "cloud_server/output.h"

#include <sys/uio.h>

#include <algorithm>

namespace atalaya::cloud_server {
namespace {

constexpr std::size_t kVectorsPerSend = 64;
constexpr std::size_t kKeptBuffers = 1024;
constexpr std::size_t kKeptBufferBytes = 256u << 10;  // A larger one is not worth keeping.

}  // namespace

std::unique_ptr<OutputBuffers> BufferPool::Take() {
  if (free_.empty()) return std::make_unique<OutputBuffers>();
  std::unique_ptr<OutputBuffers> buffers = std::move(free_.back());
  free_.pop_back();
  return buffers;
}

void BufferPool::Give(std::unique_ptr<OutputBuffers> buffers) {
  if (free_.size() >= kKeptBuffers || buffers->tail.capacity() > kKeptBufferBytes) return;
  buffers->tail.clear();
  buffers->tail_sent = 0;
  free_.push_back(std::move(buffers));
}

void Output::AppendPayload(MessagePtr message) {
  OutputBuffers& to = *Buffers();
  if (to.tail.size() > to.tail_sent) {
    OutputBuffers::Chunk copied;
    copied.bytes = to.tail.substr(to.tail_sent);
    to.chunk_bytes += copied.bytes.size();
    to.chunks.PushBack(std::move(copied));
  }
  to.tail.clear();
  to.tail_sent = 0;
  OutputBuffers::Chunk shared;
  shared.message = std::move(message);
  to.chunk_bytes += shared.View().size();
  to.chunks.PushBack(std::move(shared));
}

Output::Outcome Output::Flush(int fd, Transport* transport, std::size_t* sent) {
  while (!empty()) {
    const OutputBuffers& from = *buffers_;
    iovec vectors[kVectorsPerSend];
    std::size_t count = 0;
    for (; count < from.chunks.size() && count < kVectorsPerSend; ++count) {
      std::string_view view = from.chunks[count].View();
      if (count == 0) view.remove_prefix(from.chunk_sent);
      vectors[count] = {const_cast<char*>(view.data()), view.size()};
    }
    if (count < kVectorsPerSend && from.tail.size() > from.tail_sent) {
      const std::string_view view = std::string_view(from.tail).substr(from.tail_sent);
      vectors[count++] = {const_cast<char*>(view.data()), view.size()};
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
  OutputBuffers& from = *buffers_;
  while (bytes > 0 && !from.chunks.empty()) {
    const std::size_t left = from.chunks.front().View().size() - from.chunk_sent;
    const std::size_t taken = std::min(left, bytes);
    bytes -= taken;
    from.chunk_bytes -= taken;
    from.chunk_sent += taken;
    if (taken == left) {
      from.chunks.PopFront();
      from.chunk_sent = 0;
    }
  }
  from.tail_sent += bytes;
  if (from.chunks.empty()) from.chunks.Release();
  if (from.bytes() == 0) {
    pool_->Give(std::move(buffers_));
  } else if (from.tail_sent > from.tail.size() / 2) {
    from.tail.erase(0, from.tail_sent);
    from.tail_sent = 0;
  }
}

}  // namespace atalaya::cloud_server
