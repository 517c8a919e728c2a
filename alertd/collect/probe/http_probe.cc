// An HTTP request is answered as it should be, after redirects where they are followed.

#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "alertd/collect/probe/connection_probe.h"
#include "base/duration.h"

namespace atalaya::alertd {
namespace {

constexpr int kMaxRedirects = 10;
constexpr std::size_t kMaxHttpBody = 4u << 20;

// Null where there is none.
std::unique_ptr<const RE2> MakeRegex(const std::string& text) {
  return text.empty() ? nullptr : std::make_unique<const RE2>(text);
}

bool StatusMatches(std::string_view pattern, int status) {
  const std::string digits = fmt::format("{:03}", status);
  return std::equal(pattern.begin(), pattern.end(), digits.begin(), digits.end(),
                    [](char wanted, char got) { return wanted == 'x' || wanted == got; });
}

class HttpProbe final : public Probe {
 public:
  HttpProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events)
      : Probe(std::move(events)),
        config_(config),
        tools_(tools),
        lookup_(tools.side),
        origin_(ServerOfUrl(config.target).value_or(HostPort{})),
        expect_(MakeRegex(config.http.expect)),
        reject_(MakeRegex(config.http.reject)) {
    for (const auto& [name, regex] : config.http.expect_headers)
      expect_headers_.try_emplace(name, regex);
  }
  ~HttpProbe() override { tools_.loop.CancelTimer(timer_); }

  void Begin() override {
    begin_ns_ = tools_.clock.SteadyNs();
    url_ = config_.target;
    method_ = config_.http.method;
    redirects_ = 0;
    phases_ = {};
    first_lookup_ = {};
    regex_failed_ = false;
    reply_ = {};
    Fetch();
  }

 private:
  void Fetch() {
    facts_ = {};
    const Result<HostPort> server = ServerOfUrl(url_);
    if (!server)
      return Finish(ProbeFault{ProbeFaultKind::kAnswer, "a redirect to what is no URL of http"});
    const std::int64_t asked_ns = tools_.clock.SteadyNs();
    const bool lookup = !IsNumericAddress(server->host);
    if (lookup) timer_ = tools_.loop.RunAfter(TimeLeft(), [this] { TimedOut(); });
    lookup_.Begin(*server, [this, server = *server, lookup,
                            asked_ns](const NameLookup::Addresses& addresses) {
      tools_.loop.CancelTimer(std::exchange(timer_, 0));
      if (!addresses)
        return Finish(ProbeFault{ProbeFaultKind::kResolve, addresses.error().message});
      const std::chrono::nanoseconds took(lookup ? tools_.clock.SteadyNs() - asked_ns : 0);
      phases_.resolve += std::chrono::duration_cast<std::chrono::microseconds>(took);
      if (redirects_ == 0) first_lookup_ = took;
      Send(server, lookup ? *addresses : std::vector<HostPort>());
    });
  }

  void Send(const HostPort& server, std::vector<HostPort> addresses) {
    const HttpProbeConfig& http = config_.http;
    HttpClientRequest request;
    request.url = url_;
    request.method = method_;
    if (method_ != "GET" && method_ != "HEAD") request.body = http.body;
    request.timeout = std::max(TimeLeft(), std::chrono::milliseconds(1));
    request.body_limit_bytes = kMaxHttpBody;
    request.ca_file = config_.tls.ca_file;
    request.addresses = std::move(addresses);
    request.own_connection = true;
    request.tls_facts = &facts_;
    // Another server gets no secrets.
    if (server == origin_) {
      request.headers.assign(http.headers.begin(), http.headers.end());
      request.username = http.username;
      request.password = http.password;
      request.bearer_token = http.bearer_token;
    }
    tools_.http.Send(std::move(request),
                     [this](Result<HttpClientReply> reply) { Take(std::move(reply)); });
  }

  void Take(Result<HttpClientReply> reply) {
    reply_ = reply ? std::move(*reply) : HttpClientReply{};
    if (!reply) return Finish(FaultOf(reply.error()));
    phases_.connect += reply_.phases.connect;
    phases_.tls += reply_.phases.tls;
    phases_.processing += reply_.phases.processing;
    phases_.transfer += reply_.phases.transfer;
    if (!reply_.redirect_url.empty() && config_.http.follow_redirects) return Follow();
    Finish(Judge());
  }

  void Follow() {
    if (++redirects_ > kMaxRedirects) {
      return Finish(
          ProbeFault{ProbeFaultKind::kLimit, fmt::format("more than {} redirects", kMaxRedirects)});
    }
    url_ = reply_.redirect_url;
    // 307 and 308 keep the method (RFC 9110, 15.4).
    if (reply_.status < 307 && method_ != "HEAD") method_ = "GET";
    Fetch();
  }

  std::optional<ProbeFault> Judge() {
    const std::vector<std::string>& status = config_.http.status;
    const bool expected = std::any_of(
        status.begin(), status.end(),
        [this](const std::string& pattern) { return StatusMatches(pattern, reply_.status); });
    if (!expected)
      return ProbeFault{ProbeFaultKind::kAnswer, fmt::format("answered {}", reply_.status)};
    std::optional<ProbeFault> fault = JudgeText();
    regex_failed_ = fault.has_value();
    return fault;
  }

  std::optional<ProbeFault> JudgeText() const {
    for (const auto& [name, regex] : expect_headers_) {
      const auto header = reply_.headers.find(name);
      if (header == reply_.headers.end() || !RE2::PartialMatch(header->second, regex)) {
        return ProbeFault{ProbeFaultKind::kAnswer,
                          fmt::format("header {} does not match {}", name, regex.pattern())};
      }
    }
    if (expect_ && !RE2::PartialMatch(reply_.body, *expect_))
      return ProbeFault{ProbeFaultKind::kAnswer, "the body does not match expect"};
    if (reject_ && RE2::PartialMatch(reply_.body, *reject_))
      return ProbeFault{ProbeFaultKind::kAnswer, "the body matches reject"};
    return std::nullopt;
  }

  static ProbeFault FaultOf(const Error& error) {
    switch (error.code) {
      case ErrorCode::kTimeout:
        return {ProbeFaultKind::kTimeout, error.message};
      case ErrorCode::kLimit:
        return {ProbeFaultKind::kLimit, error.message};
      case ErrorCode::kRefused:
        return {ProbeFaultKind::kTls, error.message};
      default:
        return {ProbeFaultKind::kConnection, error.message};
    }
  }

  std::chrono::milliseconds TimeLeft() const {
    const std::chrono::nanoseconds used(tools_.clock.SteadyNs() - begin_ns_);
    return std::chrono::ceil<std::chrono::milliseconds>(config_.timeout - used);
  }

  void TimedOut() {
    timer_ = 0;
    lookup_.Cancel();
    Finish(ProbeFault{ProbeFaultKind::kTimeout,
                      fmt::format("no name looked up within {}", FormatDuration(config_.timeout))});
  }

  void Finish(std::optional<ProbeFault> fault) {
    ProbeOutcome outcome;
    const auto add = [&](std::string_view metric, double value) {
      outcome.values.push_back({metric, value, {}, {}});
    };
    const auto phase = [&](std::string_view name, std::chrono::microseconds time) {
      outcome.values.push_back({"probe_http_duration_seconds",
                                std::chrono::duration<double>(time).count(), "phase",
                                std::string(name)});
    };
    add("probe_dns_lookup_time_seconds", std::chrono::duration<double>(first_lookup_).count());
    phase("resolve", phases_.resolve);
    phase("connect", phases_.connect);
    phase("tls", phases_.tls);
    phase("processing", phases_.processing);
    phase("transfer", phases_.transfer);
    const bool answered = reply_.status != 0;
    add("probe_http_status_code", reply_.status);
    add("probe_http_version", reply_.version / 10.0);
    add("probe_http_content_length", answered ? static_cast<double>(reply_.content_length) : 0);
    add("probe_http_uncompressed_body_length", static_cast<double>(reply_.body.size()));
    add("probe_http_redirects", redirects_);
    add("probe_http_ssl", answered && url_.starts_with("https://") ? 1 : 0);
    add("probe_failed_due_to_regex", regex_failed_ ? 1 : 0);
    AddTlsValues(facts_, outcome);
    outcome.fault = std::move(fault);
    reply_.body = {};
    events_.done(std::move(outcome));
  }

  const ProbeConfig& config_;
  ProbeTools& tools_;
  NameLookup lookup_;
  const HostPort origin_;
  const std::unique_ptr<const RE2> expect_, reject_;
  std::map<std::string, RE2> expect_headers_;
  // Of the look under way.
  TimerId timer_ = 0;
  std::int64_t begin_ns_ = 0;
  std::string url_, method_;
  int redirects_ = 0;
  HttpPhases phases_;
  std::chrono::nanoseconds first_lookup_{0};
  bool regex_failed_ = false;
  HttpClientReply reply_;  // The last one.
  TlsFacts facts_;
};

}  // namespace

std::unique_ptr<Probe> MakeHttpProbe(const ProbeConfig& config, ProbeTools& tools,
                                     ProbeEvents events) {
  return std::make_unique<HttpProbe>(config, tools, std::move(events));
}

}  // namespace atalaya::alertd
