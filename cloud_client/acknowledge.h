#pragma once

#include <memory>

#include "cloud_client/client.h"
#include "cloud_client/mailbox.h"

namespace atalaya::cloud_client {

struct Acknowledge::Target {
  Target(const std::shared_ptr<Mailbox>& the_mailbox, HandledMessage the_message)
      : mailbox(the_mailbox), message(the_message) {}
  std::weak_ptr<Mailbox> mailbox;
  HandledMessage message;
};

}  // namespace atalaya::cloud_client
