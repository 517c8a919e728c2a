#include "alertd/collect/prober.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <optional>

#include "alertd/collect/loop_thread.h"
#include "base/duration.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace atalaya::alertd {

struct Prober::Impl {
  // One probe, and its attempt while one is under way.
  struct Probe : IoHandler {
    void OnIo(std::uint32_t) override { owner->Proceed(*this); }

    Impl* owner = nullptr;
    ProbeConfig config;
    TargetBoard::Id target = 0;
    std::shared_ptr<telemetry::Series> success, duration;
    std::int64_t next_ns = 0;  // When the next attempt is due, steady clock.
    std::optional<bool> last;  // How the last attempt ended.

    UniqueFd fd;
    bool connected = false;
    std::string received;
    std::int64_t begin_ns = 0;
    TimerId timeout = 0;
  };

  Impl(TargetBoard& with_board, SampleQueue& with_queue, const Clock& with_clock,
       std::unique_ptr<EventLoop> loop)
      : board(with_board), queue(with_queue), clock(with_clock), thread(std::move(loop)) {}

  void Begin(Probe& probe);
  void Proceed(Probe& probe);
  void Connected(Probe& probe);
  void ReadReply(Probe& probe);
  void Finish(Probe& probe, const std::string& error);
  void Schedule(Probe& probe);

  TargetBoard& board;
  SampleQueue& queue;
  const Clock& clock;
  std::vector<std::unique_ptr<Probe>> probes;
  LoopThread thread;
};

void Prober::Impl::Begin(Probe& probe) {
  probe.begin_ns = clock.SteadyNs();
  probe.connected = false;
  probe.received.clear();
  Result<UniqueFd> fd = StartConnectTcp(probe.config.target);
  if (!fd) return Finish(probe, fd.error().message);
  probe.fd = std::move(*fd);
  probe.timeout = thread.loop().RunAfter(probe.config.timeout, [this, &probe] {
    Finish(probe, fmt::format("no {} within {}", probe.connected ? "CONNACK" : "connection",
                              FormatDuration(probe.config.timeout)));
  });
  if (Status added = thread.loop().Add(probe.fd.get(), EPOLLOUT, &probe); !added)
    Finish(probe, added.error().message);
}

void Prober::Impl::Proceed(Probe& probe) {
  if (probe.connected) return ReadReply(probe);
  if (const int error = SocketError(probe.fd.get()); error != 0)
    return Finish(probe, ErrnoText(error));
  Connected(probe);
}

void Prober::Impl::Connected(Probe& probe) {
  probe.connected = true;
  if (probe.config.kind == ProbeKind::kTcp) return Finish(probe, "");
  std::string connect;
  mqtt::EncodeConnect({}, &connect);  // A clean session without an id: nothing is left behind.
  // The first bytes of a connection always fit into its send buffer.
  if (send(probe.fd.get(), connect.data(), connect.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(connect.size()))
    return Finish(probe, ErrnoText(errno));
  if (Status modified = thread.loop().Modify(probe.fd.get(), EPOLLIN, &probe); !modified)
    Finish(probe, modified.error().message);
}

void Prober::Impl::ReadReply(Probe& probe) {
  char buffer[kProbeReplyBytes];
  const ssize_t got = recv(probe.fd.get(), buffer, sizeof buffer, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return Finish(probe, ErrnoText(errno));
  if (got == 0) return Finish(probe, "closed the connection before a CONNACK");
  probe.received.append(buffer, static_cast<std::size_t>(got));
  // Judged by the first byte, so that a server that speaks something else is not waited for.
  if (static_cast<unsigned char>(probe.received.front()) >> 4 !=
      static_cast<int>(mqtt::PacketType::kConnack))
    return Finish(probe, "answered no CONNACK");
  const mqtt::Decoded<mqtt::Frame> frame = mqtt::NextFrame(probe.received, kProbeReplyBytes);
  if (!frame) return Finish(probe, fmt::format("answered no MQTT: {}", FaultName(frame.error())));
  if (frame->size == 0) return;
  const mqtt::Decoded<mqtt::Connack> connack = mqtt::DecodeConnack(*frame, mqtt::Version::k311);
  if (!connack) {
    return Finish(probe, fmt::format("answered no CONNACK: {}", FaultName(connack.error())));
  }
  if (connack->code != 0)
    return Finish(probe, fmt::format("refused the connection with code {}", connack->code));
  std::string disconnect;
  mqtt::EncodeDisconnect({}, mqtt::Version::k311, &disconnect);
  // A courtesy: whether it arrives changes nothing for the verdict.
  static_cast<void>(send(probe.fd.get(), disconnect.data(), disconnect.size(), MSG_NOSIGNAL));
  Finish(probe, "");
}

void Prober::Impl::Finish(Probe& probe, const std::string& error) {
  const std::int64_t now_ns = clock.SteadyNs();
  const std::int64_t now_ms = clock.NowMs();
  const std::chrono::nanoseconds took(now_ns - probe.begin_ns);
  if (probe.fd) thread.loop().Remove(probe.fd.get(), &probe);
  probe.fd.Reset();
  thread.loop().CancelTimer(probe.timeout);
  probe.timeout = 0;

  board.Looked(probe.target, error, now_ms, took);
  SampleBatch batch;
  batch.samples.push_back({probe.success, {now_ms, error.empty() ? 1.0 : 0.0}});
  batch.samples.push_back({probe.duration, {now_ms, std::chrono::duration<double>(took).count()}});
  if (probe.last != error.empty()) batch.event_ns = now_ns;
  if (!probe.last) batch.saved = [&to = board, target = probe.target] { to.Arrived(target); };
  probe.last = error.empty();
  queue.Push(std::move(batch));
  Schedule(probe);
}

void Prober::Impl::Schedule(Probe& probe) {
  const std::int64_t interval_ns = std::chrono::nanoseconds(probe.config.interval).count();
  const std::int64_t now_ns = clock.SteadyNs();
  probe.next_ns += interval_ns;
  // After a pause of the whole machine the missed attempts are not made up for.
  if (probe.next_ns < now_ns) probe.next_ns = now_ns + interval_ns;
  thread.loop().RunAfter(std::chrono::nanoseconds(probe.next_ns - now_ns),
                         [this, &probe] { Begin(probe); });
}

Prober::Prober(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Prober::~Prober() { impl_->thread.Stop(); }

void Prober::End() {
  impl_->thread.Stop();
  for (const auto& probe : impl_->probes) {
    impl_->board.Remove(probe->target);
    impl_->queue.Push(EndOf({probe->success, probe->duration}, impl_->clock.NowMs()));
  }
}

Result<std::unique_ptr<Prober>> Prober::Create(const std::vector<ProbeConfig>& probes,
                                               TargetBoard& board, SampleQueue& queue,
                                               const Clock& clock) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) return Forward(loop.error());
  auto impl = std::make_unique<Impl>(board, queue, clock, std::move(*loop));
  for (const ProbeConfig& config : probes) {
    auto probe = std::make_unique<Impl::Probe>();
    probe->owner = impl.get();
    probe->config = config;
    telemetry::Labels labels({config.labels.begin(), config.labels.end()});
    labels.Set("probe", config.name);
    probe->success = NamedSeries(labels, "probe_success");
    probe->duration = NamedSeries(labels, "probe_duration_seconds");
    probe->target = board.Add({.kind = TargetKind::kProbe,
                               .pool = config.name,
                               .address = config.target.ToString(),
                               .labels = labels,
                               .last_error = "",
                               .interval = config.interval,
                               .timeout = config.timeout});
    impl->probes.push_back(std::move(probe));
  }
  impl->thread.loop().Post([impl = impl.get()] {
    for (const auto& probe : impl->probes) {
      probe->next_ns = impl->clock.SteadyNs();
      impl->Begin(*probe);
    }
  });
  impl->thread.Start();
  return std::unique_ptr<Prober>(new Prober(std::move(impl)));
}

}  // namespace atalaya::alertd
