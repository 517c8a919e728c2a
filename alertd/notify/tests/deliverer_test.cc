#include "alertd/notify/deliverer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "alertd/notify/dispatcher.h"
#include "alertd/notify/outbox_store.h"
#include "alertd/notify/tests/notify_bench.h"
#include "base/file.h"
#include "base/http_server.h"
#include "base/tests/scripted_server.h"

namespace atalaya::alertd {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr auto kDeadline = 20s;

// Stands still until the test moves it; the deliverer's threads read it meanwhile.
class SharedClock final : public Clock {
 public:
  std::int64_t NowMs() const override { return now_ms_; }
  std::int64_t SteadyNs() const override { return (now_ms_ - kStartMs) * 1'000'000 + 1; }
  void AdvanceMs(std::int64_t by) { now_ms_ += by; }

 private:
  std::atomic<std::int64_t> now_ms_{kStartMs};
};

// A webhook whose answers the test scripts; when they are used up it answers 200.
class Receiver {
 public:
  explicit Receiver(std::vector<HttpResponse> answers = {}) : answers_(std::move(answers)) {
    HttpServerOptions options;
    options.listen = {{"127.0.0.1", 0}};
    options.threads = 4;
    Result<std::unique_ptr<HttpServer>> server =
        HttpServer::Start(options, [this](const HttpRequest& request) { return Answer(request); });
    ATALAYA_CHECK(server.has_value());
    server_ = std::move(*server);
  }
  ~Receiver() { Release(); }

  std::string url() const { return "http://" + server_->addresses().at(0).ToString() + "/"; }

  // Makes requests wait, unanswered, until Release.
  void Hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }

  std::vector<HttpRequest> WaitForRequests(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kDeadline, [&] { return requests_.size() >= count; }));
    return requests_;
  }
  std::size_t at_once_max() {
    const std::lock_guard lock(mutex_);
    return at_once_max_;
  }

 private:
  HttpResponse Answer(const HttpRequest& request) {
    std::unique_lock lock(mutex_);
    requests_.push_back(request);
    at_once_max_ = std::max(at_once_max_, ++at_once_);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    --at_once_;
    if (answers_.empty()) return {};
    HttpResponse answer = answers_.front();
    answers_.erase(answers_.begin());
    return answer;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HttpResponse> answers_;
  std::vector<HttpRequest> requests_;
  std::size_t at_once_ = 0, at_once_max_ = 0;
  bool held_ = false;
  std::unique_ptr<HttpServer> server_;  // Last: its handler uses the rest.
};

// A mail server that answers each recipient as scripted, once; then it takes everything.
void ServeMail(ScriptedPeer& peer, std::map<std::string, std::string>& replies) {
  peer.Send("220 bench ESMTP\r\n");
  std::string line;
  while (peer.ReadTo("\r\n", &line)) {
    std::string reply = line.starts_with("DATA") ? "354 Go on" : "250 Fine";
    if (line.starts_with("QUIT")) reply = "221 Bye";
    if (line.starts_with("RCPT TO:<")) {
      const std::string recipient = line.substr(9, line.find('>') - 9);
      const auto scripted = replies.find(recipient);
      if (scripted != replies.end()) reply = scripted->second;
      if (scripted != replies.end()) replies.erase(scripted);
    }
    peer.Send(reply + "\r\n");
    if (!line.starts_with("DATA")) continue;
    peer.ReadTo("\r\n.\r\n", &line);
    peer.Send("250 Taken\r\n");
  }
}

HttpResponse Answer(int status) {
  HttpResponse response;
  response.status = status;
  return response;
}

class DelivererTest : public testing::Test {
 protected:
  DelivererTest() : database_(OpenTestState(folder_)) {}

  void Start(std::vector<ReceiverConfig> receivers) {
    receivers_ = receivers;
    DelivererOptions options;
    options.receivers = std::move(receivers);
    options.external_url = "http://127.0.0.1:9480";
    options.clock = &clock_;
    options.counters = &counters_;
    options.lag = &lag_;
    options.random = [] { return 0.5; };
    Result<std::unique_ptr<Deliverer>> started =
        Deliverer::Start(std::move(options), OpenTestState(folder_));
    ASSERT_TRUE(started) << started.error().message;
    deliverer_ = std::move(*started);
  }

  void Notify(std::vector<Alert> changed) {
    DispatcherOptions options;
    options.routing = MakeRouting(receivers_);
    options.clock = &clock_;
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database_);
    ASSERT_TRUE(transaction) << transaction.error().message;
    const Result<std::size_t> written =
        Dispatcher(options).Process(database_, alerts_.Change(changed), clock_.NowMs());
    ASSERT_TRUE(written) << written.error().message;
    ASSERT_TRUE(transaction->Commit());
    if (deliverer_) deliverer_->Wake();
  }

  std::vector<OutboxRow> Rows() {
    const Result<std::vector<OutboxRow>> rows = ListOutbox(database_, {});
    EXPECT_TRUE(rows) << rows.error().message;
    return rows ? *rows : std::vector<OutboxRow>();
  }

  // The outbox once `good` holds of it.
  std::vector<OutboxRow> WaitFor(const std::function<bool(const std::vector<OutboxRow>&)>& good) {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (true) {
      std::vector<OutboxRow> rows = Rows();
      if (good(rows)) return rows;
      if (std::chrono::steady_clock::now() > end) {
        ADD_FAILURE() << "the outbox did not become what was expected";
        return rows;
      }
      std::this_thread::yield();
    }
  }

  std::vector<OutboxRow> WaitForState(OutboxState state, std::size_t count = 1) {
    return WaitFor([=](const std::vector<OutboxRow>& rows) {
      return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [=](const auto& row) {
               return row.state == state;
             })) >= count;
    });
  }

  void AdvanceMs(std::int64_t by) {
    clock_.AdvanceMs(by);
    deliverer_->Wake();
  }

  TestFolder folder_;
  SharedClock clock_;
  NotifyCounters counters_;
  NoticeLag lag_;
  SqliteDatabase database_;
  FiringAlerts alerts_;
  std::vector<ReceiverConfig> receivers_;
  std::unique_ptr<Deliverer> deliverer_;
};

TEST_F(DelivererTest, DeliversAndRecordsEachStage) {
  Receiver receiver;
  Start({WebhookReceiver("ops", receiver.url())});
  Alert alert = FiringAlert("Down", "a");
  alert.event_ns = 1;
  clock_.AdvanceMs(5);
  alert.fired_at_ms = clock_.NowMs();
  Notify({alert});
  const OutboxRow row = WaitForState(OutboxState::kSent).front();
  EXPECT_EQ(row.attempts, 1);
  EXPECT_EQ(row.event_ns, 1);
  EXPECT_EQ(row.evaluated_ns, 5'000'001);
  EXPECT_EQ(row.stored_ns, 5'000'001);
  EXPECT_EQ(row.accepted_ns, 5'000'001);
  const HttpRequest request = receiver.WaitForRequests(1).front();
  EXPECT_EQ(request.Header("webhook-id"), row.notice_id);
  EXPECT_EQ(request.Header("content-type"), "application/json");
  EXPECT_THAT(request.body, HasSubstr("\"version\":\"4\""));
}

TEST_F(DelivererTest, AnErrorIsTriedAgainUnderTheSameIdWhenItsTimeHasCome) {
  Receiver receiver({Answer(500), Answer(503)});
  Start({WebhookReceiver("ops", receiver.url())});
  Notify({FiringAlert("Down", "a")});
  const auto tried = [](std::int64_t attempts) {
    return [=](const std::vector<OutboxRow>& rows) { return rows[0].attempts == attempts; };
  };
  EXPECT_EQ(WaitFor(tried(1))[0].next_attempt_ms, kStartMs + 1'000);
  AdvanceMs(999);
  deliverer_->Wake();
  EXPECT_EQ(Rows()[0].attempts, 1);
  AdvanceMs(1);
  const OutboxRow waiting = WaitFor(tried(2))[0];
  EXPECT_EQ(waiting.next_attempt_ms, kStartMs + 3'000);
  EXPECT_EQ(waiting.last_error, "HTTP status 503");
  AdvanceMs(2'000);
  WaitForState(OutboxState::kSent);
  const std::vector<HttpRequest> requests = receiver.WaitForRequests(3);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].Header("webhook-id"), requests[2].Header("webhook-id"));
  EXPECT_EQ(requests[0].body, requests[2].body);
  WaitFor([this](const auto&) { return counters_.Snapshot()[0].retried == 2u; });
  WaitFor([this](const auto&) { return counters_.Snapshot()[0].sent == 1u; });
}

TEST_F(DelivererTest, RetryAfterHoldsTheWholeReceiver) {
  HttpResponse later = Answer(429);
  later.headers = {{"Retry-After", "7"}};
  Receiver receiver({later});
  Start({WebhookReceiver("ops", receiver.url())});
  Notify({FiringAlert("Down", "a")});
  EXPECT_EQ(WaitFor([](const auto& rows) { return rows[0].attempts == 1; })[0].next_attempt_ms,
            kStartMs + 7'000);
  Notify({FiringAlert("Disk", "a")});
  AdvanceMs(6'999);
  EXPECT_EQ(receiver.WaitForRequests(1).size(), 1u);
  AdvanceMs(1);
  WaitForState(OutboxState::kSent, 2);
  EXPECT_EQ(receiver.WaitForRequests(3).size(), 3u);
}

TEST_F(DelivererTest, ARefusalIsFinal) {
  Receiver receiver({Answer(400)});
  Start({WebhookReceiver("ops", receiver.url())});
  Notify({FiringAlert("Down", "a")});
  EXPECT_EQ(WaitForState(OutboxState::kFailed)[0].last_error, "HTTP status 400");
  WaitFor([this](const auto&) { return counters_.Snapshot()[0].failed == 1u; });
  Notify({FiringAlert("Disk", "a")});
  WaitForState(OutboxState::kSent);
  EXPECT_EQ(receiver.WaitForRequests(2).size(), 2u);
}

TEST_F(DelivererTest, AHungReceiverDelaysNoOther) {
  Receiver hung, quick;
  hung.Hold();
  Start({WebhookReceiver("hung", hung.url()), WebhookReceiver("quick", quick.url())});
  Notify({FiringAlert("Down", "a")});
  hung.WaitForRequests(1);
  EXPECT_EQ(WaitForState(OutboxState::kSent)[0].receiver, "quick");
  Notify({FiringAlert("Disk", "a")});
  WaitForState(OutboxState::kSent, 2);
  hung.Release();
  WaitForState(OutboxState::kSent, 4);
}

TEST_F(DelivererTest, OneIsInFlightPerReceiverAndOldestGoesFirst) {
  Receiver receiver;
  Start({WebhookReceiver("ops", receiver.url())});
  Notify({FiringAlert("A", "a"), FiringAlert("B", "a"), FiringAlert("C", "a")});
  WaitForState(OutboxState::kSent, 3);
  EXPECT_EQ(receiver.at_once_max(), 1u);
  const std::vector<HttpRequest> requests = receiver.WaitForRequests(3);
  EXPECT_THAT(requests[0].body, HasSubstr("\"alertname\":\"A\""));
  EXPECT_THAT(requests[2].body, HasSubstr("\"alertname\":\"C\""));
}

TEST_F(DelivererTest, ANoticeOutlivesARestartWhileItsReceiverIsDown) {
  Start({WebhookReceiver("ops", "http://127.0.0.1:1/")});
  Notify({FiringAlert("Down", "a")});
  const OutboxRow before = WaitFor([](const auto& rows) { return rows[0].attempts == 1; })[0];
  EXPECT_EQ(before.state, OutboxState::kWaiting);
  deliverer_.reset();

  Receiver receiver;
  Start({WebhookReceiver("ops", receiver.url())});
  AdvanceMs(1'000);
  EXPECT_EQ(WaitForState(OutboxState::kSent)[0].attempts, 2);
  EXPECT_EQ(receiver.WaitForRequests(1)[0].Header("webhook-id"), before.notice_id);
}

TEST_F(DelivererTest, StoppingInFlightLeavesTheNoticeInTheOutbox) {
  Receiver receiver;
  receiver.Hold();
  Start({WebhookReceiver("ops", receiver.url())});
  Notify({FiringAlert("Down", "a")});
  receiver.WaitForRequests(1);
  deliverer_.reset();
  EXPECT_EQ(Rows()[0].state, OutboxState::kWaiting);
  EXPECT_EQ(Rows()[0].attempts, 0);
}

TEST_F(DelivererTest, WhatWasOvertakenInFlightIsSentAndSoIsItsSuccessor) {
  Receiver receiver;
  receiver.Hold();
  Start({WebhookReceiver("ops", receiver.url())});
  Notify({FiringAlert("Down", "a")});
  receiver.WaitForRequests(1);
  Notify({Resolved(FiringAlert("Down", "a"), kStartMs + 5)});
  receiver.Release();
  WaitForState(OutboxState::kSent, 2);
  const std::vector<HttpRequest> requests = receiver.WaitForRequests(2);
  EXPECT_NE(requests[0].Header("webhook-id"), requests[1].Header("webhook-id"));
  EXPECT_THAT(requests[1].body, HasSubstr("\"status\":\"resolved\""));
}

TEST_F(DelivererTest, AReceiverThatLeftTheConfigurationIsDroppedAndCounted) {
  receivers_ = {WebhookReceiver("gone")};
  Notify({FiringAlert("Down", "a")});
  Start({WebhookReceiver("ops")});
  EXPECT_EQ(Rows()[0].state, OutboxState::kDropped);
  EXPECT_EQ(counters_.Snapshot()[0].receiver, "gone");
  WaitFor([this](const auto&) { return counters_.Snapshot()[0].dropped == 1u; });
}

TEST_F(DelivererTest, OneRecipientsRefusalStopsNoOther) {
  std::map<std::string, std::string> replies{{"a@example.org", "550 No such user"},
                                             {"b@example.org", "451 Later"},
                                             {"c@example.org", "535 Who are you"}};
  ScriptedServer server([&replies](ScriptedPeer& peer) { ServeMail(peer, replies); });
  ReceiverConfig mail =
      EmailReceiver("mail", {"a@example.org", "b@example.org", "c@example.org", "d@example.org"});
  mail.email.server.url = "smtp://" + server.address();
  Start({mail});
  Notify({FiringAlert("Down", "a")});
  std::vector<OutboxRow> rows = WaitForState(OutboxState::kSent);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[3].state, OutboxState::kFailed);
  EXPECT_EQ(rows[3].last_error, "SMTP reply 550 No such user");
  EXPECT_EQ(rows[2].state, OutboxState::kWaiting);
  EXPECT_EQ(rows[1].state, OutboxState::kWaiting);
  EXPECT_EQ(rows[0].target, "d@example.org");
  AdvanceMs(1'000);
  rows = WaitForState(OutboxState::kSent, 3);
  EXPECT_EQ(rows[3].state, OutboxState::kFailed);
}

TEST_F(DelivererTest, StoppingDoesNotWaitForASilentMailServer) {
  std::atomic<bool> connected = false;
  ScriptedServer silent([&connected](ScriptedPeer& peer) {
    connected = true;
    connected.notify_all();
    peer.WaitForEnd();
  });
  ReceiverConfig mail = EmailReceiver("mail", {"a@example.org"});
  mail.email.server.url = "smtp://" + silent.address();
  mail.email.server.timeout = std::chrono::minutes(2);
  Start({mail});
  Notify({FiringAlert("Down", "a")});
  connected.wait(false);
  const auto begin = std::chrono::steady_clock::now();
  deliverer_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s);  // The server gives up after 10 s.
  EXPECT_EQ(Rows()[0].state, OutboxState::kWaiting);
  EXPECT_EQ(Rows()[0].attempts, 0);
}

TEST_F(DelivererTest, WritesMailsAsFiles) {
  ReceiverConfig box = EmailReceiver("box", {"a@example.org", "b@example.org"});
  box.kind = ReceiverKind::kMailDirectory;
  box.email.directory = (folder_.path() / "var" / "mail").string();
  Start({box});
  Notify({FiringAlert("Down", "a")});
  const OutboxRow row = WaitForState(OutboxState::kSent)[0];
  const Result<std::string> mail =
      ReadFile(std::filesystem::path(box.email.directory) / (row.notice_id + ".eml"));
  ASSERT_TRUE(mail) << mail.error().message;
  EXPECT_THAT(*mail, HasSubstr("\r\nTo: a@example.org,\r\n b@example.org\r\n"));
}

TEST_F(DelivererTest, WhatIsRefusedForGoodGoesToTheFallbackOnce) {
  Receiver refusing({Answer(404)}), also_refusing({Answer(410)});
  ReceiverConfig ops = WebhookReceiver("ops", refusing.url());
  ops.fallback = "backup";
  ReceiverConfig backup = WebhookReceiver("backup", also_refusing.url());
  backup.drill = true;  // So that it hears of nothing but what others refused.
  backup.fallback = "ops";
  Start({ops, backup});
  Notify({FiringAlert("Down", "a")});
  const std::vector<OutboxRow> rows = WaitForState(OutboxState::kFailed, 2);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].receiver, "backup");
  EXPECT_EQ(rows[0].notice_id, rows[1].notice_id);
  const HttpRequest request = also_refusing.WaitForRequests(1).at(0);
  EXPECT_THAT(request.body, HasSubstr(R"("undelivered":"ops: HTTP status 404")"));
  EXPECT_THAT(request.body, HasSubstr(R"("receiver":"backup")"));
}

TEST_F(DelivererTest, MeasuresTheWayOfWhatWasAccepted) {
  Receiver receiver;
  Start({WebhookReceiver("ops", receiver.url())});
  Notify({FiringAlert("Down", "a")});
  WaitForState(OutboxState::kSent);
  WaitFor([this](const auto&) { return counters_.Snapshot()[0].sent == 1u; });
  const LagHistograms stages = lag_.Snapshot();
  std::uint64_t counted = 0;
  for (const std::uint64_t bucket : stages[3].buckets) counted += bucket;
  EXPECT_EQ(counted, 1u);
}

TEST(NoticeLag, PutsEachStageIntoItsBucket) {
  NoticeLag lag;
  OutboxRow row;
  row.event_ns = 1;
  row.evaluated_ns = row.event_ns + 3'000'000;   // 3 ms
  row.stored_ns = row.evaluated_ns + 1'000'000;  // 1 ms, the bound itself.
  row.accepted_ns = row.stored_ns + 400'000'000'000;
  lag.Add(row);
  row.event_ns = 0;
  lag.Add(row);
  const LagHistograms stages = lag.Snapshot();
  EXPECT_EQ(stages[0].buckets[2], 1u);
  EXPECT_EQ(stages[1].buckets[0], 2u);
  EXPECT_EQ(stages[2].buckets.back(), 2u);
  EXPECT_EQ(stages[3].buckets.back(), 2u);
  EXPECT_DOUBLE_EQ(stages[1].sum_s, 0.002);
  row.evaluated_ns = row.accepted_ns + 1;  // Before a reboot.
  NoticeLag none;
  none.Add(row);
  EXPECT_EQ(none.Snapshot()[3].sum_s, 0);
}

}  // namespace
}  // namespace atalaya::alertd
