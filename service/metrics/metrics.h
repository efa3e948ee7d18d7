// Counters and histograms, served to Prometheus.
#pragma once

#include "keystate/clock.h"
#include "keystate/result.h"
#include "keystate/token_set.h"
#include "service/app/call_context.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

namespace hallmark::service {

// Thread-safety: every method may be called from any thread, except that Listen and WatchToken are
// called while the daemon starts, and StopListening while it ends.
class Metrics {
 public:
  // `clock` outlives it.
  explicit Metrics(Clock& clock);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Serves http://<address>/metrics from now on and returns the address with the port that was
  // bound.
  //
  // Errors: DependencyTimeoutException when the address cannot be bound.
  Result<std::string> Listen(const std::string& address);

  // Shows of each token whether it is available, and what it has to do, as of each scrape. `tokens`
  // outlives this.
  void WatchTokens(const TokenSet& tokens);

  // Ends the listener: no scrape looks at a token from then on.
  void StopListening();

  // Looks up no names: an array index and an atomic addition, but for the first call of its kind.
  void Finished(const app::CallContext& call, const Status& status);

  // A request of the AWS protocol that no operation stands for, answered with a status of HTTP. Not
  // for the hot path.
  void Unserved(int status);

  void KeyDestroyed() { destroyed_keys_.Increment(); }
  void SetSweeperHalted(bool halted) { sweeper_halted_.Set(halted ? 1 : 0); }

  void Reloaded(bool applied) { (applied ? applied_reloads_ : refused_reloads_).Increment(); }
  void ConnectionOpened(app::Protocol protocol) { Of(protocol).open_connections.Increment(); }
  void ConnectionClosed(app::Protocol protocol) { Of(protocol).open_connections.Decrement(); }
  void ConnectionRefused(app::Protocol protocol) { Of(protocol).refused_connections.Increment(); }

 private:
  class TokenCollector;

  static constexpr std::size_t kOperations = 0
#define HALLMARK_OPERATION(name) +1
#include "keystate/operations.def"
#undef HALLMARK_OPERATION
      ;
  // Every exception, and success at index 0.
  static constexpr std::size_t kOutcomes = 1
#define HALLMARK_EXCEPTION(name, fault, retry, meaning) +1
#include "keystate/exceptions.def"
#undef HALLMARK_EXCEPTION
      ;

  template <class T>
  using ByOperation = std::array<T, kOperations>;
  using ByOutcome = std::array<std::atomic<prometheus::Counter*>, kOutcomes>;

  struct OfProtocol {
    prometheus::Gauge& open_connections;
    prometheus::Counter& refused_connections;
    // Made when first used, so that a scrape shows what happens here, not a thousand zeros. Null:
    // not yet.
    ByOperation<ByOutcome> requests{};
    ByOperation<std::atomic<prometheus::Histogram*>> durations{};
  };

  OfProtocol& Of(app::Protocol protocol) { return protocol == app::Protocol::kGrpc ? grpc_ : aws_; }

  Clock& clock_;
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Family<prometheus::Gauge>& open_connections_;
  prometheus::Family<prometheus::Counter>& refused_connections_;
  OfProtocol grpc_;
  OfProtocol aws_;
  prometheus::Counter& destroyed_keys_;
  prometheus::Gauge& sweeper_halted_;
  prometheus::Family<prometheus::Counter>& unserved_;
  prometheus::Family<prometheus::Counter>& reloads_;
  // There from the start, so that the first refusal shows as an increase.
  prometheus::Counter& applied_reloads_;
  prometheus::Counter& refused_reloads_;
  const std::shared_ptr<TokenCollector> tokens_;
  // Declared last: its threads end before what they read.
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace hallmark::service
