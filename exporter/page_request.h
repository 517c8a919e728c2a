#pragma once

#include <cstddef>
#include <string_view>

#include "base/http_server.h"

namespace atalaya::exporter {

struct ParsedRequest {
  enum Outcome { kWhole, kIncomplete, kBad } outcome = kIncomplete;
  int status = 400;       // Of a bad one.
  std::size_t bytes = 0;  // Of a whole one.
  bool keep_alive = false;
};

// Reads the request that `text` begins with, up to the blank line, into `request` (RFC 9112; path
// undecoded, of the headers only those named accept, accept-encoding and connection). A request
// with a body is bad: 413. Nothing in `text` is trusted.
ParsedRequest ParsePageRequest(std::string_view text, HttpRequest& request);

}  // namespace atalaya::exporter
