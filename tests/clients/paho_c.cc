// Drives Debian's Paho C client, unmodified, against a server: paho_c PORT 4|5. Prints "ok" at the
// end.

#include <MQTTClient.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr unsigned long kTimeoutMs = 20'000;

int version = 4;
std::string uri;

void Check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

MQTTClient Open(const std::string& id, bool clean, const char* will_topic = nullptr) {
  MQTTClient client = nullptr;
  MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
  create.MQTTVersion = version;
  Check(MQTTClient_createWithOptions(&client, uri.c_str(), id.c_str(), MQTTCLIENT_PERSISTENCE_NONE,
                                     nullptr, &create) == MQTTCLIENT_SUCCESS,
        "create");
  MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
  will.topicName = will_topic;
  will.message = "gone";
  will.qos = 1;
  if (version == 5) {
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer5;
    options.cleanstart = clean ? 1 : 0;
    if (will_topic != nullptr) options.will = &will;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty expiry{};
    expiry.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL;
    expiry.value.integer4 = clean ? 0 : 60;
    MQTTProperties_add(&properties, &expiry);
    const MQTTResponse response = MQTTClient_connect5(client, &options, &properties, nullptr);
    Check(response.reasonCode == MQTTREASONCODE_SUCCESS, "connect 5.0");
    MQTTResponse_free(response);
    MQTTProperties_free(&properties);
  } else {
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
    options.cleansession = clean ? 1 : 0;
    options.MQTTVersion = version;
    if (will_topic != nullptr) options.will = &will;
    Check(MQTTClient_connect(client, &options) == MQTTCLIENT_SUCCESS, "connect");
  }
  return client;
}

void Subscribe(MQTTClient client, const std::string& filter, int qos) {
  if (version == 5) {
    const MQTTResponse response =
        MQTTClient_subscribe5(client, filter.c_str(), qos, nullptr, nullptr);
    Check(static_cast<int>(response.reasonCode) == qos, "subscribe 5.0");
    MQTTResponse_free(response);
  } else {
    Check(MQTTClient_subscribe(client, filter.c_str(), qos) == MQTTCLIENT_SUCCESS, "subscribe");
  }
}

void Publish(MQTTClient client, const std::string& topic, const std::string& text, int qos,
             bool retained = false) {
  MQTTClient_deliveryToken token = 0;
  if (version == 5) {
    const MQTTResponse response =
        MQTTClient_publish5(client, topic.c_str(), static_cast<int>(text.size()), text.data(), qos,
                            retained, nullptr, &token);
    Check(
        static_cast<int>(response.reasonCode) < 0x80 && static_cast<int>(response.reasonCode) >= 0,
        "publish 5.0");
    MQTTResponse_free(response);
  } else {
    Check(MQTTClient_publish(client, topic.c_str(), static_cast<int>(text.size()), text.data(), qos,
                             retained, &token) == MQTTCLIENT_SUCCESS,
          "publish");
  }
  if (qos > 0) Check(MQTTClient_waitForCompletion(client, token, kTimeoutMs) == 0, "acknowledged");
}

void Expect(MQTTClient client, const std::string& topic, const std::string& text, int qos) {
  char* name = nullptr;
  int name_bytes = 0;
  MQTTClient_message* message = nullptr;
  // A call returns without a message when the connection of any client ends.
  for (int tries = 0; message == nullptr && tries < 3; ++tries) {
    MQTTClient_receive(client, &name, &name_bytes, &message, kTimeoutMs);
  }
  Check(message != nullptr, "receive");
  const std::string got(static_cast<char*>(message->payload),
                        static_cast<std::size_t>(message->payloadlen));
  Check(topic == name && got == text && message->qos == qos, (topic + ": got " + got).c_str());
  MQTTClient_freeMessage(&message);
  MQTTClient_free(name);
}

void Close(MQTTClient client) {
  MQTTClient_disconnect(client, 1'000);
  MQTTClient_destroy(&client);
}

}  // namespace

int main(int, char** argv) {
  uri = std::string("tcp://127.0.0.1:") + argv[1];
  version = std::atoi(argv[2]);
  const std::string top = std::string("paho-c/") + argv[2];
  MQTTClient publisher = Open("paho-publisher-" + top, true, (top + "/will").c_str());
  MQTTClient subscriber = Open("paho-subscriber-" + top, true);
  Subscribe(subscriber, top + "/qos", 2);
  for (int qos = 0; qos <= 2; ++qos) {
    Publish(publisher, top + "/qos", "hello", qos);
    Expect(subscriber, top + "/qos", "hello", qos);
  }
  Publish(publisher, top + "/kept", "kept", 1, true);
  Subscribe(subscriber, "$share/group/" + top + "/shared", 1);
  Publish(publisher, top + "/shared", "shared", 1);
  Expect(subscriber, top + "/shared", "shared", 1);
  Subscribe(subscriber, top + "/kept", 1);
  Expect(subscriber, top + "/kept", "kept", 1);

  MQTTClient away = Open("paho-away-" + top, false);
  Subscribe(away, top + "/away", 1);
  Close(away);
  Publish(publisher, top + "/away", "waits", 1);
  away = Open("paho-away-" + top, false);
  Expect(away, top + "/away", "waits", 1);
  Close(away);

  Subscribe(subscriber, top + "/will", 1);
  MQTTClient twin = Open("paho-publisher-" + top, true);  // Takes over, so the will is published.
  Expect(subscriber, top + "/will", "gone", 1);
  Close(twin);
  Close(subscriber);
  std::puts("ok");
  return 0;
}
