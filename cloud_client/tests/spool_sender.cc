// A program to be killed by tests/system/client_store_forward.py: publishes RUN.0, RUN.1, ...
// through a spool until it has published COUNT, and says on stdout how many of them it was promised
// to be safe.
//   spool_sender HOST:PORT SPOOL QOS RUN COUNT

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "cloud_client/client.h"

int main(int argc, char** argv) {
  using namespace atalaya;
  using namespace atalaya::cloud_client;
  if (argc != 6) return 2;
  ClientOptions options;
  options.servers = {*ParseHostPort(argv[1])};
  options.client_id = "sender";
  options.clean_session = false;
  options.reconnect_min = std::chrono::milliseconds(10);
  options.reconnect_max = std::chrono::milliseconds(100);
  options.spool = SpoolOptions{.directory = argv[2], .max_bytes = kDefaultSpoolBytes};
  Result<std::unique_ptr<Client>> client = Client::Start(options, {});
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().message.c_str());
    return 1;
  }
  const auto qos = static_cast<Qos>(std::atoi(argv[3]));
  const int count = std::atoi(argv[5]);
  std::atomic<int> stored = 0;
  for (int i = 0; i < count; ++i) {
    const std::string payload = std::string(argv[4]) + "." + std::to_string(i);
    const auto done = [&](const Result<Client::Delivery>& outcome) {
      if (!outcome) std::exit(1);
      std::printf("stored %d\n", stored.fetch_add(1));
      std::fflush(stdout);
      stored.notify_one();
    };
    while (!(*client)->Publish({.topic = "count/1", .payload = payload, .qos = qos}, done)) {
      std::this_thread::yield();
    }
    if (i % 16 != 15) continue;
    for (int now = stored; now <= i; now = stored) stored.wait(now);
  }
  const Status closed = (*client)->Close(std::chrono::minutes(10));
  if (!closed) std::fprintf(stderr, "%s\n", closed.error().message.c_str());
  std::printf("closed\n");
  return closed ? 0 : 1;
}
