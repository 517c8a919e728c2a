#include "cloud_server/faults.h"

namespace atalaya::cloud_server {

telemetry::Stat MalformedStat(mqtt::Fault fault) {
  using mqtt::Fault;
  using telemetry::Stat;
  switch (fault) {
    case Fault::kBadLength:
      return Stat::kMalformedLength;
    case Fault::kPacketTooLarge:
      return Stat::kMalformedTooLarge;
    case Fault::kBadPacketType:
    case Fault::kBadFlags:
      return Stat::kMalformedFixedHeader;
    case Fault::kTruncated:
      return Stat::kMalformedTruncated;
    case Fault::kTrailingBytes:
      return Stat::kMalformedTrailing;
    case Fault::kBadUtf8:
      return Stat::kMalformedString;
    case Fault::kBadTopicName:
    case Fault::kNoTopic:
    case Fault::kBadTopicFilter:
      return Stat::kMalformedTopic;
    case Fault::kBadPacketId:
      return Stat::kMalformedPacketId;
    case Fault::kBadQos:
    case Fault::kBadSubscribeOptions:
      return Stat::kMalformedQos;
    case Fault::kBadProtocolName:
      return Stat::kMalformedProtocolName;
    case Fault::kBadConnectFlags:
      return Stat::kMalformedConnectFlags;
    case Fault::kUnknownProperty:
    case Fault::kMisplacedProperty:
    case Fault::kRepeatedProperty:
    case Fault::kBadPropertyValue:
      return Stat::kMalformedProperty;
    case Fault::kNoFilters:
    case Fault::kBadReasonCode:
    case Fault::kBadProtocolVersion:
    case Fault::kBadClientId:
      return Stat::kMalformedOther;
  }
  return Stat::kMalformedOther;
}

}  // namespace atalaya::cloud_server
