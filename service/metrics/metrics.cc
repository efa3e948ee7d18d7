#include "service/metrics/metrics.h"

#include "keystate/mutex.h"
#include "keystate/operation.h"

#include <array>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

namespace hallmark::service {
namespace {

// Seconds: from a MAC on a fast token to the longest call.
const prometheus::Histogram::BucketBoundaries kDurationBounds{
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10};

prometheus::Labels LabelOf(app::Protocol protocol) {
  return {{"protocol", std::string(app::Name(protocol))}};
}

std::string_view OutcomeName(const Status& status) {
  return status.has_value() ? "OK" : Describe(status.error().exception).name;
}

// One series of every token. Rows of one name stand together.
struct TokenMetric {
  const char* name;
  const char* help;
  prometheus::MetricType type;
  const char* step;  // label; null: none
  double (*value)(const TokenSet::Token& token);
};

constexpr auto kGauge = prometheus::MetricType::Gauge;
constexpr auto kCounter = prometheus::MetricType::Counter;
constexpr const char* kRecoveries = "hallmark_token_recoveries_total";
constexpr const char* kRecoveriesHelp =
    "What was done to keep the token in service: session (another one taken), login (logged in and "
    "scanned again), device (brought back while callers waited), module (initialised again).";

using Token = TokenSet::Token;

double Of(std::uint64_t count) { return static_cast<double>(count); }

TokenHosts HostsOf(const Token& token) { return token.hsm().hosts().value_or(TokenHosts()); }

const std::array kTokenMetrics{
    TokenMetric{"hallmark_token_available", "1 while the token answers, 0 while it is out.", kGauge,
                nullptr, [](const Token& token) { return token.hsm().available() ? 1.0 : 0.0; }},
    TokenMetric{"hallmark_token_drained", "1 while an operator has taken the token out of use.",
                kGauge, nullptr, [](const Token& token) { return token.drained() ? 1.0 : 0.0; }},
    TokenMetric{"hallmark_token_sessions", "Sessions open on the token.", kGauge, nullptr,
                [](const Token& token) { return Of(token.hsm().open_sessions()); }},
    TokenMetric{"hallmark_token_session_budget",
                "Sessions that may be open on the token, as far as it has told.", kGauge, nullptr,
                [](const Token& token) { return Of(token.hsm().session_budget()); }},
    TokenMetric{"hallmark_token_outstanding",
                "MACs that wait for the token or are under way on it.", kGauge, nullptr,
                [](const Token& token) { return Of(token.hsm().outstanding()); }},
    TokenMetric{"hallmark_token_failovers_total",
                "MACs that the token failed and that were sent to another.", kCounter, nullptr,
                [](const Token& token) { return Of(token.failovers()); }},
    TokenMetric{kRecoveries, kRecoveriesHelp, kCounter, "session",
                [](const Token& token) { return Of(token.hsm().recoveries().replaced_sessions); }},
    TokenMetric{kRecoveries, kRecoveriesHelp, kCounter, "login",
                [](const Token& token) { return Of(token.hsm().recoveries().renewals); }},
    TokenMetric{kRecoveries, kRecoveriesHelp, kCounter, "device",
                [](const Token& token) { return Of(token.hsm().recoveries().repairs); }},
    TokenMetric{kRecoveries, kRecoveriesHelp, kCounter, "module",
                [](const Token& token) { return Of(token.hsm().recoveries().reinitialisations); }},
    TokenMetric{"hallmark_token_hung_calls",
                "Calls that were written off and have not come back since.", kGauge, nullptr,
                [](const Token& token) { return Of(token.hsm().hung_calls().now); }},
    TokenMetric{"hallmark_token_calls_written_off_total", "Calls whose threads were given up.",
                kCounter, nullptr,
                [](const Token& token) { return Of(token.hsm().hung_calls().written_off); }},
    TokenMetric{"hallmark_token_hosts",
                "Processes that serve the token, where it is called in processes of its own.",
                kGauge, nullptr, [](const Token& token) { return Of(HostsOf(token).alive); }},
    TokenMetric{"hallmark_token_host_replacements_total",
                "Such processes that died, hung or sent nonsense and were replaced.", kCounter,
                nullptr, [](const Token& token) { return Of(HostsOf(token).replacements); }},
    TokenMetric{"hallmark_token_outages_total", "How often the token went out of service.",
                kCounter, nullptr,
                [](const Token& token) { return Of(token.hsm().recoveries().outages); }},
};

}  // namespace

// Asks the tokens when it is scraped: a gauge that is set on change can be forgotten.
class Metrics::TokenCollector : public prometheus::Collectable {
 public:
  void Watch(const TokenSet& tokens) {
    MutexLock lock(mu_);
    tokens_ = &tokens;
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families;
    MutexLock lock(mu_);
    if (tokens_ == nullptr) return families;
    for (const TokenMetric& row : kTokenMetrics) {
      if (families.empty() || families.back().name != row.name) {
        families.push_back({row.name, row.help, row.type, {}});
      }
      for (const TokenSet::Token& token : tokens_->tokens()) {
        prometheus::ClientMetric& metric = families.back().metric.emplace_back();
        metric.label.push_back({"token", token.id()});
        if (row.step != nullptr) metric.label.push_back({"step", row.step});
        (row.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) =
            row.value(token);
      }
    }
    return families;
  }

 private:
  mutable Mutex mu_;
  const TokenSet* tokens_ HALLMARK_GUARDED_BY(mu_) = nullptr;  // null: none yet
};

Metrics::Metrics(Clock& clock)
    : clock_(clock),
      registry_(std::make_shared<prometheus::Registry>()),
      requests_(prometheus::BuildCounter()
                    .Name("hallmark_requests_total")
                    .Help("Requests answered, by protocol, operation and outcome (OK or the "
                          "exception).")
                    .Register(*registry_)),
      durations_(prometheus::BuildHistogram()
                     .Name("hallmark_request_duration_seconds")
                     .Help("From the arrival of a request to its answer.")
                     .Register(*registry_)),
      open_connections_(prometheus::BuildGauge()
                            .Name("hallmark_connections")
                            .Help("Open connections, by protocol.")
                            .Register(*registry_)),
      refused_connections_(prometheus::BuildCounter()
                               .Name("hallmark_refused_connections_total")
                               .Help("Connections refused because too many were open, by protocol.")
                               .Register(*registry_)),
      grpc_{open_connections_.Add(LabelOf(app::Protocol::kGrpc)),
            refused_connections_.Add(LabelOf(app::Protocol::kGrpc))},
      aws_{open_connections_.Add(LabelOf(app::Protocol::kAws)),
           refused_connections_.Add(LabelOf(app::Protocol::kAws))},
      destroyed_keys_(prometheus::BuildCounter()
                          .Name("hallmark_destroyed_keys_total")
                          .Help("Keys destroyed because their waiting period was over.")
                          .Register(*registry_)
                          .Add({})),
      sweeper_halted_(prometheus::BuildGauge()
                          .Name("hallmark_sweeper_halted")
                          .Help("1: the clock has jumped, and no key is destroyed before an "
                                "operator resumes the deletion sweeper.")
                          .Register(*registry_)
                          .Add({})),
      unserved_(prometheus::BuildCounter()
                    .Name("hallmark_unserved_requests_total")
                    .Help("Requests over HTTP that ask for no operation that there is, by status.")
                    .Register(*registry_)),
      reloads_(prometheus::BuildCounter()
                   .Name("hallmark_reloads_total")
                   .Help("Configurations read again after SIGHUP, by outcome.")
                   .Register(*registry_)),
      applied_reloads_(reloads_.Add({{"outcome", "applied"}})),
      refused_reloads_(reloads_.Add({{"outcome", "refused"}})),
      tokens_(std::make_shared<TokenCollector>()) {}

Metrics::~Metrics() = default;

Result<std::string> Metrics::Listen(const std::string& address) {
  try {
    // Scrapes are rare, and must not crowd out MACs; a second thread for when one client dawdles.
    exposer_ = std::make_unique<prometheus::Exposer>(std::vector<std::string>{
        "listening_ports", address, "num_threads", "2", "request_timeout_ms", "2000"});
  } catch (const std::exception& failure) {  // the library throws types of its HTTP server
    return Fail(Exception::kDependencyTimeoutException,
                "Cannot serve metrics on " + address + "; free the port or change metrics.listen.",
                failure.what());
  }
  exposer_->RegisterCollectable(registry_);
  exposer_->RegisterCollectable(tokens_);
  return address.substr(0, address.rfind(':') + 1) +
         std::to_string(exposer_->GetListeningPorts().front());
}

void Metrics::WatchTokens(const TokenSet& tokens) { tokens_->Watch(tokens); }

void Metrics::StopListening() { exposer_.reset(); }

void Metrics::Unserved(int status) {
  unserved_.Add({{"status", std::to_string(status)}}).Increment();
}

void Metrics::Finished(const app::CallContext& call, const Status& status) {
  const auto operation = static_cast<std::size_t>(call.operation);
  const std::size_t outcome =
      status.has_value() ? 0 : 1 + static_cast<std::size_t>(status.error().exception);

  OfProtocol& made = Of(call.protocol);
  std::atomic<prometheus::Counter*>& counter_slot = made.requests[operation][outcome];
  prometheus::Counter* counter = counter_slot.load(std::memory_order_acquire);
  if (counter == nullptr) {
    // Two threads may both come here: the family gives both the same counter.
    counter = &requests_.Add({{"protocol", std::string(app::Name(call.protocol))},
                              {"operation", std::string(Name(call.operation))},
                              {"outcome", std::string(OutcomeName(status))}});
    counter_slot.store(counter, std::memory_order_release);
  }
  counter->Increment();

  std::atomic<prometheus::Histogram*>& histogram_slot = made.durations[operation];
  prometheus::Histogram* histogram = histogram_slot.load(std::memory_order_acquire);
  if (histogram == nullptr) {
    histogram = &durations_.Add({{"protocol", std::string(app::Name(call.protocol))},
                                 {"operation", std::string(Name(call.operation))}},
                                kDurationBounds);
    histogram_slot.store(histogram, std::memory_order_release);
  }
  const std::chrono::duration<double> seconds = clock_.SteadyNow() - call.started;
  histogram->Observe(seconds.count());
}

}  // namespace hallmark::service
