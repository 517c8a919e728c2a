#pragma once

#include <cstdint>
#include <memory>

#include "cloud_client/client.h"
#include "cloud_client/mailbox.h"

namespace atalaya::cloud_client {

struct Acknowledge::Target {
  Target(const std::shared_ptr<Mailbox>& the_mailbox, std::uint64_t the_message)
      : mailbox(the_mailbox), message(the_message) {}
  std::weak_ptr<Mailbox> mailbox;
  std::uint64_t message;  // Its number in the order of arrival.
};

}  // namespace atalaya::cloud_client
