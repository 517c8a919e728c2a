#include "cloud_server/output.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace atalaya::cloud_server {
namespace {

constexpr std::size_t kVectorsPerSend = 64;
constexpr std::size_t kKeptTailBytes = 256u
                                       << 10;  // A larger tail gives its memory back once sent.

}  // namespace

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

Output::Outcome Output::Flush(int fd, std::size_t* sent) {
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
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = count;
    const ssize_t taken = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? Outcome::kBlocked : Outcome::kFailed;
    }
    *sent += static_cast<std::size_t>(taken);
    Consume(static_cast<std::size_t>(taken));
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
  if (tail_sent_ == tail_.size()) {
    tail_.clear();
    tail_sent_ = 0;
    if (tail_.capacity() > kKeptTailBytes) tail_.shrink_to_fit();
  } else if (tail_sent_ > tail_.size() / 2) {
    tail_.erase(0, tail_sent_);
    tail_sent_ = 0;
  }
}

void Output::ReleaseMemory() {
  if (!empty()) return;
  tail_.shrink_to_fit();
  chunks_.Release();
}

}  // namespace atalaya::cloud_server
