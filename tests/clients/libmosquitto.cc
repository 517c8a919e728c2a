// Drives Debian's libmosquitto, unmodified, against a server: libmosquitto PORT 3|4|5. Prints "ok"
// at the end.

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>

namespace {

constexpr std::chrono::seconds kDeadline{20};

void Check(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

struct Client {
  Client(const std::string& id, int version, const std::string& will_topic = "") {
    handle = mosquitto_new(id.c_str(), true, this);
    mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION, version);
    mosquitto_connect_callback_set(handle, [](mosquitto*, void* self, int code) {
      static_cast<Client*>(self)->connected = code;
    });
    mosquitto_subscribe_callback_set(handle, [](mosquitto*, void* self, int, int, const int* qos) {
      static_cast<Client*>(self)->granted = qos[0];
    });
    mosquitto_publish_callback_set(
        handle, [](mosquitto*, void* self, int) { ++static_cast<Client*>(self)->published; });
    mosquitto_message_callback_set(
        handle, [](mosquitto*, void* self, const mosquitto_message* message) {
          static_cast<Client*>(self)->messages.push_back(
              std::string(message->topic) + "=" +
              std::string(static_cast<char*>(message->payload),
                          static_cast<std::size_t>(message->payloadlen)) +
              "/" + std::to_string(message->qos) + (message->retain ? "r" : ""));
        });
    if (!will_topic.empty()) {
      mosquitto_will_set(handle, will_topic.c_str(), 4, "gone", 1, false);
    }
  }
  ~Client() { mosquitto_destroy(handle); }

  template <typename Condition>
  void WaitFor(const std::string& what, const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!condition()) {
      Check(std::chrono::steady_clock::now() < deadline, "no " + what);
      const int code = mosquitto_loop(handle, 50, 1);
      Check(code == MOSQ_ERR_SUCCESS, what + ": " + mosquitto_strerror(code));
    }
  }
  void Connect(int port) {
    Check(mosquitto_connect(handle, "127.0.0.1", port, 60) == MOSQ_ERR_SUCCESS, "connect");
    WaitFor("CONNACK", [&] { return connected == 0; });
  }
  void Subscribe(const std::string& filter, int qos) {
    granted = -1;
    Check(mosquitto_subscribe(handle, nullptr, filter.c_str(), qos) == MOSQ_ERR_SUCCESS,
          "subscribe");
    WaitFor("SUBACK", [&] { return granted == qos; });
  }
  void Publish(const std::string& topic, const std::string& text, int qos, bool retain = false) {
    const int before = published;
    Check(mosquitto_publish(handle, nullptr, topic.c_str(), static_cast<int>(text.size()),
                            text.data(), qos, retain) == MOSQ_ERR_SUCCESS,
          "publish");
    WaitFor("acknowledgement", [&] { return published == before + 1; });
  }
  void Expect(const std::string& message) {
    WaitFor(message, [&] { return !messages.empty(); });
    Check(messages.front() == message, "expected " + message + ", got " + messages.front());
    messages.pop_front();
  }

  mosquitto* handle = nullptr;
  int connected = -1;
  int granted = -1;
  int published = 0;
  std::deque<std::string> messages;
};

}  // namespace

int main(int, char** argv) {
  const int port = std::atoi(argv[1]);
  const int version = std::atoi(argv[2]);
  const std::string top = std::string("libmosquitto/") + argv[2];
  mosquitto_lib_init();
  {
    Client publisher("lm-publisher-" + top, version);
    Client subscriber("lm-subscriber-" + top, version);
    publisher.Connect(port);
    subscriber.Connect(port);
    subscriber.Subscribe(top + "/qos", 2);
    for (int qos = 0; qos <= 2; ++qos) {
      publisher.Publish(top + "/qos", "hello", qos);
      subscriber.Expect(top + "/qos=hello/" + std::to_string(qos));
    }
    publisher.Publish(top + "/kept", "kept", 1, true);
    subscriber.Subscribe(top + "/kept", 1);
    subscriber.Expect(top + "/kept=kept/1r");
    subscriber.Subscribe("$share/group/" + top + "/shared", 1);
    publisher.Publish(top + "/shared", "shared", 1);
    subscriber.Expect(top + "/shared=shared/1");
    subscriber.Subscribe(top + "/will", 1);
    {
      Client dying("lm-dying-" + top, version, top + "/will");
      dying.Connect(port);
    }  // Its socket closes without a DISCONNECT.
    subscriber.Expect(top + "/will=gone/1");
    mosquitto_disconnect(publisher.handle);
  }
  mosquitto_lib_cleanup();
  std::puts("ok");
  return 0;
}
