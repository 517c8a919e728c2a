#pragma once

#include <string>

#include "mqtt/packet.h"

// From packets to bytes. Each call appends one whole packet to `out`. The caller answers for the
// fields: strings of at most 65,535 bytes, a packet id exactly where the standard wants one,
// properties only in 5.0, and a packet of at most kMaxPacketBytes; anything else is a CHECK.
namespace atalaya::mqtt {

void EncodeConnect(const Connect& packet, std::string* out);
void EncodeConnack(const Connack& packet, Version version, std::string* out);
void EncodePublish(const Publish& packet, Version version, std::string* out);
void EncodeAck(const Ack& packet, Version version, std::string* out);
void EncodeSubscribe(const Subscribe& packet, Version version, std::string* out);
void EncodeSuback(const Suback& packet, Version version, std::string* out);
void EncodeUnsubscribe(const Unsubscribe& packet, Version version, std::string* out);
void EncodePingreq(std::string* out);
void EncodePingresp(std::string* out);
void EncodeDisconnect(const Disconnect& packet, Version version, std::string* out);

// As EncodePublish, but without the payload, whose bytes must follow: for payloads that are sent
// from where they are.
void EncodePublishHeader(const Publish& packet, Version version, std::string* out);

// The size of the packet that EncodePublish would append.
std::size_t PublishBytes(const Publish& packet, Version version);

}  // namespace atalaya::mqtt
