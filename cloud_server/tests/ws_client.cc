#include "cloud_server/tests/ws_client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace atalaya::cloud_server {

std::string ClientFrame(WsOpcode opcode, std::string_view payload, bool is_final) {
  char header[10];
  std::string frame(header, EncodeWsHeader(opcode, payload.size(), header));
  if (!is_final) frame[0] = static_cast<char>(frame[0] & 0x7f);
  frame[1] = static_cast<char>(static_cast<unsigned char>(frame[1]) | 0x80u);
  const char mask[] = {'\x37', '\x7e', '\x10', '\xa5'};
  frame.append(mask, sizeof mask);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame += static_cast<char>(payload[i] ^ mask[i % sizeof mask]);
  }
  return frame;
}

std::string UpgradeRequest(std::string_view further, std::string_view protocols) {
  return fmt::format(
      "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:8083\r\nUpgrade: websocket\r\n"
      "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {}\r\n{}\r\n",
      protocols, further);
}

ServerFrame TakeServerFrame(std::string* bytes) {
  ServerFrame frame;
  if (bytes->size() < 2) return frame;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>((*bytes)[i]); };
  EXPECT_EQ(byte(0) & 0xf0u, 0x80u) << "the server sends whole messages without extensions";
  EXPECT_EQ(byte(1) & 0x80u, 0u) << "the server does not mask";
  std::size_t size = byte(1);
  std::size_t head = 2;
  const std::size_t length_bytes = size == 126 ? 2 : size == 127 ? 8 : 0;
  if (bytes->size() < head + length_bytes) return frame;
  if (length_bytes > 0) size = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) size = size << 8 | byte(head++);
  if (bytes->size() < head + size) return frame;
  frame.opcode = static_cast<WsOpcode>(byte(0) & 0x0fu);
  frame.payload = bytes->substr(head, size);
  bytes->erase(0, head + size);
  return frame;
}

}  // namespace atalaya::cloud_server
