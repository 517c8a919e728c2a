#pragma once

#include <cstdint>

#include "bench/meter/client.h"

// The measurements. Each prints one line of JSON for each repetition (Interval::Print) or ends the
// meter; main bounds the time of all of them with an alarm.
namespace atalaya::bench {

// Publishers that keep `window` messages on the way, at QoS 0: each to its own subscriber, or one
// to all `pairs` subscribers.
struct FlowPlan {
  std::size_t pairs = 1;
  bool fan_out = false;
  std::size_t payload_bytes = 64;
  std::int64_t messages = 0;  // Of all publishers.
  std::int64_t window = 0;    // Of each publisher.
};
void RunFlow(const Target& target, const FlowPlan& plan);

// One publisher and one subscriber at QoS 1, `window` messages not yet acknowledged; with
// `persistent` the subscriber's session outlives its connection, so that a durable server writes
// every message down.
struct Qos1Plan {
  std::size_t payload_bytes = 64;
  std::int64_t messages = 0;
  std::int64_t window = 100;
  bool persistent = false;
};
void RunQos1(const Target& target, const Qos1Plan& plan);

// A message there and one back, `rounds` times: p50_us, p99_us and p999_us of both together.
void RunRoundTrip(const Target& target, std::size_t payload_bytes, std::int64_t rounds);

// One publisher and one subscriber with `rate` messages a second, evenly: p50_us and p99_us of the
// way through the server, and how many messages left late (by more than their distance).
void RunPaced(const Target& target, std::size_t payload_bytes, std::int64_t rate, double seconds);

// `connections` clients that connect, `concurrent` of them at a time, and stay silent: connect_us
// of server CPU each, and bytes_each of memory (of the first repetition; later ones find memory
// that was freed before).
// With `tls` they shake hands first, without asking whose the certificate is.
struct IdlePlan {
  std::size_t connections = 10'000;
  bool tls = false;
  std::size_t concurrent = 200;
  int repeats = 1;
};
void RunIdle(const Target& target, const IdlePlan& plan);

// Messages to 1,000 topics in turn, that one wildcard subscription receives, while `subscriptions`
// others exist: at rest ("phase": "steady"), and with 1,000 SUBSCRIBEs a second ("subscribing").
// The first line ("load") tells what the subscriptions cost in CPU and memory. MQTT only.
struct CurvePlan {
  std::int64_t subscriptions = 1;  // With the receiving one.
  double seconds = 1;              // Of each phase.
  int repeats = 1;
};
void RunCurve(const Target& target, const CurvePlan& plan);

}  // namespace atalaya::bench
