#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/net.h"
#include "base/result.h"
#include "cloud_client/transport.h"
#include "mqtt/decode.h"

namespace atalaya::cloud_client {

struct ConnectionHooks {
  std::function<void()> on_open;  // TCP is there.
  // One whole packet; its bytes live during the call only. An error ends the connection.
  std::function<Status(const mqtt::Frame&)> on_frame;
  std::function<void()> on_written;      // Some bytes went to the kernel: see written_bytes.
  std::function<void(Error)> on_closed;  // Once, last; the connection must outlive the call.
};

// Where a connection goes, and how.
struct ConnectionTarget {
  HostPort address;                          // A number, so that opening does not block.
  HostPort server;                           // As the user wrote it: for errors, and for TLS.
  std::shared_ptr<const Tls> tls = nullptr;  // Null: plain TCP.
};

// One TCP connection that carries MQTT packets. What Send took leaves at Flush; what the kernel
// does not take then leaves when it can. Threads: the loop's.
class Connection : public IoHandler {
 public:
  // on_closed is not called before Open has returned.
  static Result<std::unique_ptr<Connection>> Open(EventLoop* loop, const ConnectionTarget& target,
                                                  ConnectionHooks hooks);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  std::string* out() { return &out_; }  // Append whole packets here.
  std::uint64_t written_bytes() const { return written_; }
  std::uint64_t queued_bytes() const { return written_ + out_.size() - out_start_; }  // Ever.
  std::size_t unsent_bytes() const { return out_.size() - out_start_; }
  bool wants_flush() const {
    return open_ && !closed_ && unsent_bytes() > 0 && !watching_writable_ && !write_wants_read_;
  }

  void Flush();
  void FinishSending();   // Flushes, then tells the peer that nothing follows.
  void Close(Error why);  // on_closed follows at once, unless it was already called.

  void OnIo(std::uint32_t epoll_events) override;

 private:
  Connection(EventLoop* loop, HostPort address, ConnectionHooks hooks, UniqueFd fd,
             std::unique_ptr<Transport> transport);
  bool DecideConnect();
  bool Read();
  bool TakeFrames();
  void WatchWritable(bool on);
  Error Lost(std::string_view why) const;

  EventLoop* loop_;
  HostPort address_;
  ConnectionHooks hooks_;
  UniqueFd fd_;
  std::unique_ptr<Transport> transport_;
  bool open_ = false;
  bool closed_ = false;
  bool finishing_ = false;
  bool read_wants_write_ = false;
  bool write_wants_read_ = false;
  bool watching_writable_ = true;
  std::string in_;
  std::string out_;
  std::size_t out_start_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace atalaya::cloud_client
