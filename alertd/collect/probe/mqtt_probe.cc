// A CONNECT is answered by a CONNACK that lets in; with `round_trip`, and a publish comes back.

#include <sys/random.h>

#include <algorithm>

#include "alertd/collect/probe/connection_probe.h"
#include "base/check.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMqttAnswerBytes = 128u << 10;  // A longer packet is a fault.
constexpr std::uint16_t kSubscribeId = 1;

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

class MqttProbe final : public ConnectionProbe {
 public:
  MqttProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events)
      : ConnectionProbe(config, tools, std::move(events)) {
    ATALAYA_CHECK(getrandom(&own_, sizeof own_, 0) == sizeof own_);
  }

 private:
  enum class Step : std::uint8_t { kConnack, kSuback, kPublish };

  void Opened() override {
    step_ = Step::kConnack;
    step_ns_ = now_ns();
    connack_time_ = round_trip_time_ = {};
    received_.clear();
    mqtt::Connect connect;  // A clean session without an id: nothing is left behind.
    connect.keep_alive_s = KeepAlive();
    if (!settings().username.empty()) {
      connect.username = settings().username;
      connect.password = settings().password;
    }
    std::string packet;
    mqtt::EncodeConnect(connect, &packet);
    Send(packet);
  }

  // Until the next look has come, and a half more, as servers wait.
  std::uint16_t KeepAlive() const {
    if (!config().hold) return 0;
    const auto held = std::chrono::ceil<std::chrono::seconds>(config().interval + config().timeout);
    return static_cast<std::uint16_t>(std::min<std::int64_t>(held.count(), 65'535));
  }

  void Received(std::string_view bytes) override {
    received_ += bytes;
    // Judged by the first byte, so that a server that speaks something else is not waited for.
    if (step_ == Step::kConnack && static_cast<unsigned char>(received_.front()) >> 4 !=
                                       static_cast<int>(mqtt::PacketType::kConnack))
      return Fail(ProbeFaultKind::kAnswer, "answered no CONNACK");
    std::string_view rest = received_;
    while (!rest.empty()) {
      const mqtt::Decoded<mqtt::Frame> frame = mqtt::NextFrame(rest, kMqttAnswerBytes);
      if (!frame) return Faulty("MQTT", frame.error());
      if (frame->size == 0) break;
      rest.remove_prefix(frame->size);
      if (!Take(*frame)) return;
    }
    received_.erase(0, received_.size() - rest.size());
  }

  // False where the look has ended.
  bool Take(const mqtt::Frame& frame) {
    switch (frame.type) {
      case mqtt::PacketType::kConnack:
        return TakeConnack(frame);
      case mqtt::PacketType::kSuback:
        return TakeSuback(frame);
      case mqtt::PacketType::kPublish:
        return TakePublish(frame);
      default:
        return true;
    }
  }

  bool TakeConnack(const mqtt::Frame& frame) {
    const mqtt::Decoded<mqtt::Connack> connack = mqtt::DecodeConnack(frame, mqtt::Version::k311);
    if (!connack) return Faulty("CONNACK", connack.error()), false;
    if (connack->code != 0) {
      Fail(ProbeFaultKind::kAnswer,
           fmt::format("refused the connection with code {}", connack->code));
      return false;
    }
    connack_time_ = std::chrono::nanoseconds(now_ns() - step_ns_);
    if (!settings().round_trip) return Succeed(), false;
    step_ = Step::kSuback;
    step_ns_ = now_ns();
    mqtt::Subscribe subscribe;
    subscribe.packet_id = kSubscribeId;
    subscribe.subscriptions = {{settings().topic}};
    std::string packet;
    mqtt::EncodeSubscribe(subscribe, mqtt::Version::k311, &packet);
    Send(packet);
    return true;
  }

  bool TakeSuback(const mqtt::Frame& frame) {
    const mqtt::Decoded<mqtt::Suback> suback = mqtt::DecodeSuback(frame, mqtt::Version::k311);
    if (!suback) return Faulty("SUBACK", suback.error()), false;
    if (suback->codes.empty() || static_cast<unsigned char>(suback->codes.front()) >= 0x80) {
      Fail(ProbeFaultKind::kAnswer,
           fmt::format("refused the subscription to {}", settings().topic));
      return false;
    }
    step_ = Step::kPublish;
    payload_ = fmt::format("{:016x}-{}", own_, ++published_);
    mqtt::Publish publish;
    publish.topic = settings().topic;
    publish.payload = payload_;
    std::string packet;
    mqtt::EncodePublish(publish, mqtt::Version::k311, &packet);
    Send(packet);
    return true;
  }

  // Others may publish there, too: only what this look has sent counts.
  bool TakePublish(const mqtt::Frame& frame) {
    const mqtt::Decoded<mqtt::Publish> publish = mqtt::DecodePublish(frame, mqtt::Version::k311);
    if (!publish) return Faulty("PUBLISH", publish.error()), false;
    if (step_ != Step::kPublish || publish->payload != payload_) return true;
    round_trip_time_ = std::chrono::nanoseconds(now_ns() - step_ns_);
    Succeed();
    return false;
  }

  void Faulty(std::string_view what, mqtt::Fault fault) {
    Fail(ProbeFaultKind::kAnswer, fmt::format("answered no {}: {}", what, FaultName(fault)));
  }

  std::string WaitsFor() const override {
    switch (step_) {
      case Step::kConnack:
        return "CONNACK";
      case Step::kSuback:
        return "SUBACK";
      case Step::kPublish:
        return "return of what was published";
    }
    return "";
  }

  void AddValues(bool, ProbeOutcome& outcome) const override {
    outcome.values.push_back({"probe_dns_lookup_time_seconds", Seconds(resolve_time()), {}, {}});
    const std::pair<std::string_view, std::chrono::nanoseconds> all[] = {
        {"resolve", resolve_time()},
        {"connect", phases().connect},
        {"tls", phases().tls},
        {"connack", connack_time_},
        {"round_trip", round_trip_time_}};
    for (const auto& [phase, time] : all) {
      outcome.values.push_back(
          {"probe_mqtt_duration_seconds", Seconds(time), "phase", std::string(phase)});
    }
  }

  std::string Farewell() const override {
    std::string disconnect;
    mqtt::EncodeDisconnect({}, mqtt::Version::k311, &disconnect);
    return disconnect;
  }

  const MqttProbeConfig& settings() const { return config().mqtt; }

  std::uint64_t own_ = 0;  // Tells two programs that probe the same server apart.
  std::uint64_t published_ = 0;
  std::string payload_;
  Step step_ = Step::kConnack;
  std::int64_t step_ns_ = 0;
  std::chrono::nanoseconds connack_time_{0}, round_trip_time_{0};
  std::string received_;
};

}  // namespace

std::unique_ptr<Probe> MakeMqttProbe(const ProbeConfig& config, ProbeTools& tools,
                                     ProbeEvents events) {
  return std::make_unique<MqttProbe>(config, tools, std::move(events));
}

}  // namespace atalaya::alertd
