#pragma once

#include "alertd/collect/probe/command_slots.h"
#include "alertd/collect/probe/pinger.h"
#include "alertd/collect/probe/side_threads.h"
#include "alertd/collect/probe/tls_contexts.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "base/http_transfers.h"

namespace atalaya::alertd {

// What the probes of one loop share.
struct ProbeTools {
  EventLoop& loop;
  const Clock& clock;
  SideThreads& side;
  HttpTransfers& http;
  Pinger& pinger;
  CommandSlots& slots;
  TlsContexts& tls;
};

}  // namespace atalaya::alertd
