#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace atalaya::telemetry {

enum class StatType : std::uint8_t { kCounter, kGauge, kHistogram };

// Every figure that cloud_server keeps, as data: the enums, the exporter's page and the
// documentation derive from these two lists. The order is the layout of the segment: append only,
// and never reuse a place.
//
// FAMILY(id, type, metric name, help); a name with `_seconds` is kept in nanoseconds. A histogram
// has one entry per bucket, labelled `le` with its upper bound as the page shows it, each counting
// what is in no lower one, the last "+Inf"; and one labelled "sum".
#define ATALAYA_STAT_FAMILIES(FAMILY)                                                            \
  FAMILY(kPacketsReceived, kCounter, "cloud_server_packets_received_total",                      \
         "Packets read from clients, by MQTT packet type.")                                      \
  FAMILY(kPacketsSent, kCounter, "cloud_server_packets_sent_total",                              \
         "Packets written to clients, by MQTT packet type.")                                     \
  FAMILY(kReceivedBytes, kCounter, "cloud_server_received_bytes_total",                          \
         "Bytes read from client connections.")                                                  \
  FAMILY(kSentBytes, kCounter, "cloud_server_sent_bytes_total",                                  \
         "Bytes written to client connections.")                                                 \
  FAMILY(kConnectionsAccepted, kCounter, "cloud_server_connections_accepted_total",              \
         "Connections taken from the listeners.")                                                \
  FAMILY(kConnections, kGauge, "cloud_server_connections", "Connections open now.")              \
  FAMILY(kConnectionsRefused, kCounter, "cloud_server_connections_refused_total",                \
         "CONNECT packets answered with a refusal, by reason.")                                  \
  FAMILY(kConnectionsClosed, kCounter, "cloud_server_connections_closed_total",                  \
         "Connections that ended, by reason.")                                                   \
  FAMILY(kPacketsMalformed, kCounter, "cloud_server_packets_malformed_total",                    \
         "Packets that broke the protocol and so ended their connection, by what was wrong.")    \
  FAMILY(kPublishesReceived, kCounter, "cloud_server_publishes_received_total",                  \
         "PUBLISH packets taken from clients, by their QoS.")                                    \
  FAMILY(kPublishesDelivered, kCounter, "cloud_server_publishes_delivered_total",                \
         "PUBLISH packets handed to subscribers, by the QoS of the delivery.")                   \
  FAMILY(kPublishReceivedBytes, kCounter, "cloud_server_publish_received_payload_bytes_total",   \
         "Payload bytes of the PUBLISH packets taken from clients.")                             \
  FAMILY(kPublishDeliveredBytes, kCounter, "cloud_server_publish_delivered_payload_bytes_total", \
         "Payload bytes of the PUBLISH packets handed to subscribers.")                          \
  FAMILY(kPublishesDropped, kCounter, "cloud_server_publishes_dropped_total",                    \
         "Publishes that a subscriber should have had and did not get, by reason.")              \
  FAMILY(kPublishesUnrouted, kCounter, "cloud_server_publishes_unrouted_total",                  \
         "Publishes taken that no subscription matched.")                                        \
  FAMILY(kPublishesResent, kCounter, "cloud_server_publishes_resent_total",                      \
         "Publishes sent again, marked DUP, after a session was resumed.")                       \
  FAMILY(kWillsPublished, kCounter, "cloud_server_wills_published_total",                        \
         "Will messages published because a client went away without saying so.")                \
  FAMILY(kSessions, kGauge, "cloud_server_sessions",                                             \
         "Sessions held, by whether their client is connected.")                                 \
  FAMILY(kSessionsEnded, kCounter, "cloud_server_sessions_ended_total",                          \
         "Sessions that were discarded, by reason.")                                             \
  FAMILY(kSubscriptions, kGauge, "cloud_server_subscriptions", "Subscriptions held.")            \
  FAMILY(kRetainedMessages, kGauge, "cloud_server_retained_messages", "Retained messages held.") \
  FAMILY(kRetainedBytes, kGauge, "cloud_server_retained_bytes",                                  \
         "Topic and payload bytes of the retained messages held.")                               \
  FAMILY(kQueuePackets, kGauge, "cloud_server_queue_packets",                                    \
         "Publishes waiting in sessions for their client or for room in flight.")                \
  FAMILY(kQueueBytes, kGauge, "cloud_server_queue_bytes",                                        \
         "Topic and payload bytes waiting in sessions.")                                         \
  FAMILY(kOutputBytes, kGauge, "cloud_server_output_buffer_bytes",                               \
         "Bytes written by the server that the kernel has not taken yet.")                       \
  FAMILY(kInflightPackets, kGauge, "cloud_server_inflight_packets",                              \
         "QoS 1 and 2 publishes that wait for an acknowledgement, by direction.")                \
  FAMILY(kLoopBusyNs, kCounter, "cloud_server_loop_busy_seconds_total",                          \
         "Time the event loops spent working rather than waiting.")                              \
  FAMILY(kConfigReloadSuccessful, kGauge, "cloud_server_config_last_reload_successful",          \
         "Whether the last reload of the configuration put it in force.")                        \
  FAMILY(kConfigReloadTime, kGauge, "cloud_server_config_last_reload_success_timestamp_seconds", \
         "When the configuration in force was read.")                                            \
  FAMILY(kSubscriptionsRefused, kCounter, "cloud_server_subscriptions_refused_total",            \
         "Filters of SUBSCRIBE packets that were refused, by reason.")                           \
  FAMILY(kPublishesRefused, kCounter, "cloud_server_publishes_refused_total",                    \
         "Publishes of clients that were not taken, by reason.")                                 \
  FAMILY(kJournalRecords, kCounter, "cloud_server_journal_records_total",                        \
         "Records made durable by the journal.")                                                 \
  FAMILY(kJournalWrittenBytes, kCounter, "cloud_server_journal_written_bytes_total",             \
         "Bytes made durable by the journal.")                                                   \
  FAMILY(kJournalCommitNs, kHistogram, "cloud_server_journal_commit_seconds",                    \
         "From the first record of a commit to all of it durable.")                              \
  FAMILY(kJournalPendingBytes, kGauge, "cloud_server_journal_pending_bytes",                     \
         "Bytes handed to the journal and not durable yet.")                                     \
  FAMILY(kJournalFileBytes, kGauge, "cloud_server_journal_file_bytes",                           \
         "Size of the journal's segments, spare ones included.")                                 \
  FAMILY(kJournalFull, kGauge, "cloud_server_journal_full",                                      \
         "1 while the disk has no room for the journal's next segment.")                         \
  FAMILY(kJournalCompactions, kCounter, "cloud_server_journal_compactions_total",                \
         "Compactions of the journal that were finished.")                                       \
  FAMILY(kJournalLostRecords, kGauge, "cloud_server_journal_lost_records",                       \
         "Records found damaged when the server started.")                                       \
  FAMILY(kPublishPauses, kCounter, "cloud_server_publish_pauses_total",                          \
         "How often a client had to wait before it could publish on, by reason.")                \
  FAMILY(kParkedBytes, kGauge, "cloud_server_parked_bytes",                                      \
         "Packets of clients that have to wait, and those over 64 KiB that are not whole yet.")  \
  FAMILY(kMemory, kGauge, "cloud_server_memory_bytes",                                           \
         "What counts against the limit of memory, by part.")                                    \
  FAMILY(kMemoryLimit, kGauge, "cloud_server_memory_limit_bytes", "The limit of memory.")        \
  FAMILY(kLoopLag, kHistogram, "cloud_server_loop_lag_seconds",                                  \
         "How late the event loops came to their ticks, ten a second each.")                     \
  FAMILY(kDelivery, kHistogram, "cloud_server_publish_delivery_seconds",                         \
         "From a publish being read to its deliveries being sent: the slowest of each turn of "  \
         "a loop.")                                                                              \
  FAMILY(kProtocolAccepted, kCounter, "cloud_server_protocol_connections_accepted_total",        \
         "Connections taken from the listeners, by protocol.")                                   \
  FAMILY(kProtocolConnections, kGauge, "cloud_server_protocol_connections",                      \
         "Connections open now, by protocol.")

// STAT(id, family, label name, label value); a family without labels has one entry with "" for
// both. A family may go on anywhere below: kStatsByFamily has them together.
#define ATALAYA_STATS(STAT)                                                                    \
  STAT(kReceivedConnect, kPacketsReceived, "type", "connect") /* In the order of the packet */ \
  STAT(kReceivedConnack, kPacketsReceived, "type", "connack") /* types' numbers, 1 to 15:  */  \
  STAT(kReceivedPublish, kPacketsReceived, "type", "publish") /* see PacketsReceived.      */  \
  STAT(kReceivedPuback, kPacketsReceived, "type", "puback")                                    \
  STAT(kReceivedPubrec, kPacketsReceived, "type", "pubrec")                                    \
  STAT(kReceivedPubrel, kPacketsReceived, "type", "pubrel")                                    \
  STAT(kReceivedPubcomp, kPacketsReceived, "type", "pubcomp")                                  \
  STAT(kReceivedSubscribe, kPacketsReceived, "type", "subscribe")                              \
  STAT(kReceivedSuback, kPacketsReceived, "type", "suback")                                    \
  STAT(kReceivedUnsubscribe, kPacketsReceived, "type", "unsubscribe")                          \
  STAT(kReceivedUnsuback, kPacketsReceived, "type", "unsuback")                                \
  STAT(kReceivedPingreq, kPacketsReceived, "type", "pingreq")                                  \
  STAT(kReceivedPingresp, kPacketsReceived, "type", "pingresp")                                \
  STAT(kReceivedDisconnect, kPacketsReceived, "type", "disconnect")                            \
  STAT(kReceivedAuth, kPacketsReceived, "type", "auth")                                        \
  STAT(kSentConnect, kPacketsSent, "type", "connect")                                          \
  STAT(kSentConnack, kPacketsSent, "type", "connack")                                          \
  STAT(kSentPublish, kPacketsSent, "type", "publish")                                          \
  STAT(kSentPuback, kPacketsSent, "type", "puback")                                            \
  STAT(kSentPubrec, kPacketsSent, "type", "pubrec")                                            \
  STAT(kSentPubrel, kPacketsSent, "type", "pubrel")                                            \
  STAT(kSentPubcomp, kPacketsSent, "type", "pubcomp")                                          \
  STAT(kSentSubscribe, kPacketsSent, "type", "subscribe")                                      \
  STAT(kSentSuback, kPacketsSent, "type", "suback")                                            \
  STAT(kSentUnsubscribe, kPacketsSent, "type", "unsubscribe")                                  \
  STAT(kSentUnsuback, kPacketsSent, "type", "unsuback")                                        \
  STAT(kSentPingreq, kPacketsSent, "type", "pingreq")                                          \
  STAT(kSentPingresp, kPacketsSent, "type", "pingresp")                                        \
  STAT(kSentDisconnect, kPacketsSent, "type", "disconnect")                                    \
  STAT(kSentAuth, kPacketsSent, "type", "auth")                                                \
  STAT(kReceivedBytes, kReceivedBytes, "", "")                                                 \
  STAT(kSentBytes, kSentBytes, "", "")                                                         \
  STAT(kConnectionsAccepted, kConnectionsAccepted, "", "")                                     \
  STAT(kConnections, kConnections, "", "")                                                     \
  STAT(kRefusedProtocolVersion, kConnectionsRefused, "reason", "protocol_version")             \
  STAT(kRefusedClientId, kConnectionsRefused, "reason", "client_id")                           \
  STAT(kRefusedServerUnavailable, kConnectionsRefused, "reason", "server_unavailable")         \
  STAT(kRefusedBadCredentials, kConnectionsRefused, "reason", "bad_credentials")               \
  STAT(kRefusedNotAuthorized, kConnectionsRefused, "reason", "not_authorized")                 \
  STAT(kRefusedConnectionLimit, kConnectionsRefused, "reason", "connection_limit")             \
  STAT(kClosedDisconnect, kConnectionsClosed, "reason", "disconnect")                          \
  STAT(kClosedPeerGone, kConnectionsClosed, "reason", "peer_gone")                             \
  STAT(kClosedKeepAlive, kConnectionsClosed, "reason", "keep_alive")                           \
  STAT(kClosedTakeover, kConnectionsClosed, "reason", "takeover")                              \
  STAT(kClosedRefused, kConnectionsClosed, "reason", "refused")                                \
  STAT(kClosedMalformed, kConnectionsClosed, "reason", "malformed")                            \
  STAT(kClosedProtocolError, kConnectionsClosed, "reason", "protocol_error")                   \
  STAT(kClosedTooLarge, kConnectionsClosed, "reason", "packet_too_large")                      \
  STAT(kClosedSlowConsumer, kConnectionsClosed, "reason", "slow_consumer")                     \
  STAT(kClosedConnectTimeout, kConnectionsClosed, "reason", "connect_timeout")                 \
  STAT(kClosedIoError, kConnectionsClosed, "reason", "io_error")                               \
  STAT(kClosedServerStopping, kConnectionsClosed, "reason", "server_stopping")                 \
  STAT(kMalformedFixedHeader, kPacketsMalformed, "reason", "fixed_header")                     \
  STAT(kMalformedLength, kPacketsMalformed, "reason", "remaining_length")                      \
  STAT(kMalformedTruncated, kPacketsMalformed, "reason", "truncated")                          \
  STAT(kMalformedTrailing, kPacketsMalformed, "reason", "trailing_bytes")                      \
  STAT(kMalformedString, kPacketsMalformed, "reason", "string")                                \
  STAT(kMalformedTopic, kPacketsMalformed, "reason", "topic")                                  \
  STAT(kMalformedPacketId, kPacketsMalformed, "reason", "packet_id")                           \
  STAT(kMalformedProtocolName, kPacketsMalformed, "reason", "protocol_name")                   \
  STAT(kMalformedConnectFlags, kPacketsMalformed, "reason", "connect_flags")                   \
  STAT(kMalformedQos, kPacketsMalformed, "reason", "qos")                                      \
  STAT(kMalformedProperty, kPacketsMalformed, "reason", "property")                            \
  STAT(kMalformedTooLarge, kPacketsMalformed, "reason", "too_large")                           \
  STAT(kMalformedUnexpected, kPacketsMalformed, "reason", "unexpected_packet")                 \
  STAT(kMalformedOther, kPacketsMalformed, "reason", "other")                                  \
  STAT(kPublishesReceivedQos0, kPublishesReceived, "qos", "0")                                 \
  STAT(kPublishesReceivedQos1, kPublishesReceived, "qos", "1")                                 \
  STAT(kPublishesReceivedQos2, kPublishesReceived, "qos", "2")                                 \
  STAT(kPublishesDeliveredQos0, kPublishesDelivered, "qos", "0")                               \
  STAT(kPublishesDeliveredQos1, kPublishesDelivered, "qos", "1")                               \
  STAT(kPublishesDeliveredQos2, kPublishesDelivered, "qos", "2")                               \
  STAT(kPublishReceivedBytes, kPublishReceivedBytes, "", "")                                   \
  STAT(kPublishDeliveredBytes, kPublishDeliveredBytes, "", "")                                 \
  STAT(kDroppedQueueFull, kPublishesDropped, "reason", "queue_full")                           \
  STAT(kDroppedSlowConsumer, kPublishesDropped, "reason", "slow_consumer")                     \
  STAT(kDroppedConnectionLost, kPublishesDropped, "reason", "connection_lost")                 \
  STAT(kDroppedExpired, kPublishesDropped, "reason", "expired")                                \
  STAT(kDroppedTooLarge, kPublishesDropped, "reason", "too_large")                             \
  STAT(kDroppedSessionEnded, kPublishesDropped, "reason", "session_ended")                     \
  STAT(kDroppedRetainedLimit, kPublishesDropped, "reason", "retained_limit")                   \
  STAT(kDroppedLoopQueueFull, kPublishesDropped, "reason", "loop_queue_full")                  \
  STAT(kPublishesUnrouted, kPublishesUnrouted, "", "")                                         \
  STAT(kPublishesResent, kPublishesResent, "", "")                                             \
  STAT(kWillsPublished, kWillsPublished, "", "")                                               \
  STAT(kSessionsConnected, kSessions, "state", "connected")                                    \
  STAT(kSessionsOffline, kSessions, "state", "offline")                                        \
  STAT(kSessionsEndedClean, kSessionsEnded, "reason", "clean")                                 \
  STAT(kSessionsEndedExpired, kSessionsEnded, "reason", "expired")                             \
  STAT(kSessionsEndedLimit, kSessionsEnded, "reason", "limit")                                 \
  STAT(kSubscriptions, kSubscriptions, "", "")                                                 \
  STAT(kRetainedMessages, kRetainedMessages, "", "")                                           \
  STAT(kRetainedBytes, kRetainedBytes, "", "")                                                 \
  STAT(kQueuePackets, kQueuePackets, "", "")                                                   \
  STAT(kQueueBytes, kQueueBytes, "", "")                                                       \
  STAT(kOutputBytes, kOutputBytes, "", "")                                                     \
  STAT(kInflightIn, kInflightPackets, "direction", "in")                                       \
  STAT(kInflightOut, kInflightPackets, "direction", "out")                                     \
  STAT(kLoopBusyNs, kLoopBusyNs, "", "")                                                       \
  STAT(kClosedTls, kConnectionsClosed, "reason", "tls")                                        \
  STAT(kClosedCertificate, kConnectionsClosed, "reason", "certificate")                        \
  STAT(kClosedUpgrade, kConnectionsClosed, "reason", "http_upgrade")                           \
  STAT(kClosedWebSocket, kConnectionsClosed, "reason", "websocket")                            \
  STAT(kConfigReloadSuccessful, kConfigReloadSuccessful, "", "")                               \
  STAT(kConfigReloadTime, kConfigReloadTime, "", "")                                           \
  STAT(kDroppedQueueFullNewest, kPublishesDropped, "reason", "queue_full_newest")              \
  STAT(kDroppedQueueFullDisconnect, kPublishesDropped, "reason", "queue_full_disconnect")      \
  STAT(kRefusedAuthMethod, kConnectionsRefused, "reason", "bad_authentication_method")         \
  STAT(kSubscribeRefusedQuota, kSubscriptionsRefused, "reason", "quota")                       \
  STAT(kSubscribeRefusedFilter, kSubscriptionsRefused, "reason", "filter")                     \
  STAT(kSubscribeRefusedNotAuthorized, kSubscriptionsRefused, "reason", "not_authorized")      \
  STAT(kPublishRefusedNotAuthorized, kPublishesRefused, "reason", "not_authorized")            \
  STAT(kRefusedLoginRate, kConnectionsRefused, "reason", "login_rate")                         \
  STAT(kRefusedLoginsBusy, kConnectionsRefused, "reason", "logins_busy")                       \
  STAT(kClosedNotAuthorized, kConnectionsClosed, "reason", "not_authorized")                   \
  STAT(kClosedAdministrative, kConnectionsClosed, "reason", "administrative")                  \
  STAT(kClosedDrained, kConnectionsClosed, "reason", "drained")                                \
  STAT(kSubscriptionsEndedNotAuthorized, kSubscriptionsRefused, "reason", "ended_by_reload")   \
  STAT(kPublishRefusedJournalFull, kPublishesRefused, "reason", "journal_full")                \
  STAT(kJournalRecords, kJournalRecords, "", "")                                               \
  STAT(kJournalWrittenBytes, kJournalWrittenBytes, "", "")                                     \
  STAT(kJournalCommit100Us, kJournalCommitNs, "le", "0.0001")                                  \
  STAT(kJournalCommit250Us, kJournalCommitNs, "le", "0.00025")                                 \
  STAT(kJournalCommit500Us, kJournalCommitNs, "le", "0.0005")                                  \
  STAT(kJournalCommit1Ms, kJournalCommitNs, "le", "0.001")                                     \
  STAT(kJournalCommit2Ms5, kJournalCommitNs, "le", "0.0025")                                   \
  STAT(kJournalCommit5Ms, kJournalCommitNs, "le", "0.005")                                     \
  STAT(kJournalCommit10Ms, kJournalCommitNs, "le", "0.01")                                     \
  STAT(kJournalCommit25Ms, kJournalCommitNs, "le", "0.025")                                    \
  STAT(kJournalCommit100Ms, kJournalCommitNs, "le", "0.1")                                     \
  STAT(kJournalCommit1S, kJournalCommitNs, "le", "1")                                          \
  STAT(kJournalCommitInf, kJournalCommitNs, "le", "+Inf")                                      \
  STAT(kJournalCommitSum, kJournalCommitNs, "sum", "ns")                                       \
  STAT(kJournalPendingBytes, kJournalPendingBytes, "", "")                                     \
  STAT(kJournalFileBytes, kJournalFileBytes, "", "")                                           \
  STAT(kJournalFull, kJournalFull, "", "")                                                     \
  STAT(kJournalCompactions, kJournalCompactions, "", "")                                       \
  STAT(kJournalLostRecords, kJournalLostRecords, "", "")                                       \
  STAT(kRefusedAddressLimit, kConnectionsRefused, "reason", "address_limit")                   \
  STAT(kRefusedConnectRate, kConnectionsRefused, "reason", "connect_rate")                     \
  STAT(kClosedMemoryLimit, kConnectionsClosed, "reason", "memory_limit")                       \
  STAT(kDroppedMemoryLimit, kPublishesDropped, "reason", "memory_limit")                       \
  STAT(kPausesRate, kPublishPauses, "reason", "client_rate")                                   \
  STAT(kPausesMemory, kPublishPauses, "reason", "memory_limit")                                \
  STAT(kParkedBytes, kParkedBytes, "", "")                                                     \
  STAT(kMemoryMessages, kMemory, "part", "messages")                                           \
  STAT(kMemoryOutput, kMemory, "part", "output")                                               \
  STAT(kMemoryQueues, kMemory, "part", "queues")                                               \
  STAT(kMemoryLimit, kMemoryLimit, "", "")                                                     \
  STAT(kLoopLag50Us, kLoopLag, "le", "0.00005")                                                \
  STAT(kLoopLag100Us, kLoopLag, "le", "0.0001")                                                \
  STAT(kLoopLag250Us, kLoopLag, "le", "0.00025")                                               \
  STAT(kLoopLag500Us, kLoopLag, "le", "0.0005")                                                \
  STAT(kLoopLag1Ms, kLoopLag, "le", "0.001")                                                   \
  STAT(kLoopLag2Ms5, kLoopLag, "le", "0.0025")                                                 \
  STAT(kLoopLag5Ms, kLoopLag, "le", "0.005")                                                   \
  STAT(kLoopLag10Ms, kLoopLag, "le", "0.01")                                                   \
  STAT(kLoopLag25Ms, kLoopLag, "le", "0.025")                                                  \
  STAT(kLoopLag100Ms, kLoopLag, "le", "0.1")                                                   \
  STAT(kLoopLag1S, kLoopLag, "le", "1")                                                        \
  STAT(kLoopLagInf, kLoopLag, "le", "+Inf")                                                    \
  STAT(kLoopLagSum, kLoopLag, "sum", "ns")                                                     \
  STAT(kDelivery50Us, kDelivery, "le", "0.00005")                                              \
  STAT(kDelivery100Us, kDelivery, "le", "0.0001")                                              \
  STAT(kDelivery250Us, kDelivery, "le", "0.00025")                                             \
  STAT(kDelivery500Us, kDelivery, "le", "0.0005")                                              \
  STAT(kDelivery1Ms, kDelivery, "le", "0.001")                                                 \
  STAT(kDelivery2Ms5, kDelivery, "le", "0.0025")                                               \
  STAT(kDelivery5Ms, kDelivery, "le", "0.005")                                                 \
  STAT(kDelivery10Ms, kDelivery, "le", "0.01")                                                 \
  STAT(kDelivery25Ms, kDelivery, "le", "0.025")                                                \
  STAT(kDelivery100Ms, kDelivery, "le", "0.1")                                                 \
  STAT(kDelivery1S, kDelivery, "le", "1")                                                      \
  STAT(kDeliveryInf, kDelivery, "le", "+Inf")                                                  \
  STAT(kDeliverySum, kDelivery, "sum", "ns")                                                   \
  STAT(kAcceptedMqtt, kProtocolAccepted, "protocol", "mqtt")                                   \
  STAT(kAcceptedMqtts, kProtocolAccepted, "protocol", "mqtts")                                 \
  STAT(kAcceptedWs, kProtocolAccepted, "protocol", "ws")                                       \
  STAT(kAcceptedWss, kProtocolAccepted, "protocol", "wss")                                     \
  STAT(kConnectionsMqtt, kProtocolConnections, "protocol", "mqtt")                             \
  STAT(kConnectionsMqtts, kProtocolConnections, "protocol", "mqtts")                           \
  STAT(kConnectionsWs, kProtocolConnections, "protocol", "ws")                                 \
  STAT(kConnectionsWss, kProtocolConnections, "protocol", "wss")

#define ATALAYA_ENUMERATOR(id, ...) id,
enum class StatFamily : std::uint8_t { ATALAYA_STAT_FAMILIES(ATALAYA_ENUMERATOR) };
enum class Stat : std::uint16_t { ATALAYA_STATS(ATALAYA_ENUMERATOR) };
#undef ATALAYA_ENUMERATOR

struct StatFamilyInfo {
  StatFamily id;
  StatType type;
  std::string_view name;
  std::string_view help;

  // What a kept value is multiplied with for the page.
  constexpr double Scale() const { return name.find("_seconds") == name.npos ? 1.0 : 1e-9; }
};

struct StatInfo {
  Stat id;
  StatFamily family;
  std::string_view label_name;  // "" where the family has no label.
  std::string_view label_value;
};

#define ATALAYA_FAMILY_INFO(id, type, name, help) \
  StatFamilyInfo{StatFamily::id, StatType::type, name, help},
#define ATALAYA_STAT_INFO(id, family, label_name, label_value) \
  StatInfo{Stat::id, StatFamily::family, label_name, label_value},
inline constexpr std::array kStatFamilies{ATALAYA_STAT_FAMILIES(ATALAYA_FAMILY_INFO)};
inline constexpr std::array kStats{ATALAYA_STATS(ATALAYA_STAT_INFO)};
#undef ATALAYA_FAMILY_INFO
#undef ATALAYA_STAT_INFO
#undef ATALAYA_STAT_FAMILIES
#undef ATALAYA_STATS

inline constexpr std::size_t kStatCount = kStats.size();

// kStats with each family's together, in the order of kStatFamilies; within one in that of kStats.
inline constexpr std::array<StatInfo, kStatCount> kStatsByFamily = [] {
  std::array<StatInfo, kStatCount> sorted = kStats;
  std::size_t at = 0;
  for (const StatFamilyInfo& family : kStatFamilies) {
    for (const StatInfo& stat : kStats) {
      if (stat.family == family.id) sorted[at++] = stat;
    }
  }
  return sorted;
}();

// The figure for an MQTT packet type as it stands in the fixed header: 1 (CONNECT) to 15 (AUTH).
constexpr Stat PacketsReceived(unsigned packet_type) {
  return static_cast<Stat>(static_cast<unsigned>(Stat::kReceivedConnect) + packet_type - 1);
}
constexpr Stat PacketsSent(unsigned packet_type) {
  return static_cast<Stat>(static_cast<unsigned>(Stat::kSentConnect) + packet_type - 1);
}
// `qos` is 0 to 2.
constexpr Stat PublishesReceived(unsigned qos) {
  return static_cast<Stat>(static_cast<unsigned>(Stat::kPublishesReceivedQos0) + qos);
}
constexpr Stat PublishesDelivered(unsigned qos) {
  return static_cast<Stat>(static_cast<unsigned>(Stat::kPublishesDeliveredQos0) + qos);
}

}  // namespace atalaya::telemetry
