// What the store says against what a token holds, once when it is there.
#pragma once

#include "keystate/client_tokens.h"
#include "keystate/clock.h"
#include "keystate/hsm.h"
#include "keystate/ids.h"
#include "keystate/key_directory.h"
#include "keystate/key_store.h"
#include "keystate/result.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace hallmark::service {

struct ReconciliationReport {
  std::size_t rolled_back = 0;  // creations that a crash had cut short, now removed
  std::size_t left_open = 0;  // creations that could not be removed; tried again at the next start
  std::size_t orphans = 0;    // token objects that no record names
  std::size_t missing = 0;    // ready bindings whose token object is not there

  ReconciliationReport& operator+=(const ReconciliationReport& other) {
    rolled_back += other.rolled_back;
    left_open += other.left_open;
    orphans += other.orphans;
    missing += other.missing;
    return *this;
  }
};

// Told of what an operator should know, one line each.
using Notice = std::function<void(const std::string& text)>;

// Undoes the creations that a crash cut short: destroys the token object that a `creating` binding
// names, then removes the records, from the store and from `image`. Only the holder of the store's
// lock may call this, since that is what proves every other instance gone.
//
// Never destroys an object that no `creating` record names, and never removes anything because the
// token lacks it: a token that is empty or the wrong one must not make keys forgotten.
//
// Errors: what the store answers when it cannot be written.
Result<ReconciliationReport> Reconcile(StoreImage& image, const std::string& instance_id, Hsm& hsm,
                                       KeyStore& store, const Clock& clock, const Notice& notice);

// Publishes every finished key with its aliases. A key without a ready binding does not exist yet
// for any caller, so it stays out.
//
// Errors: KMSInternalException when a stored policy is missing or does not compile.
Status LoadKeys(const StoreImage& image, PolicyCache& policies, KeyDirectory& keys);

// Policies that no key and no principal has any more go from the store: each change of one leaves
// its predecessor, which others may have. For the start, when nobody changes anything.
//
// Errors: what the store answers; nothing depends on it.
Status RemoveUnusedPolicies(const StoreImage& image, KeyStore& store);

// Takes over the answers whose key is published in `keys`.
void LoadClientTokens(const StoreImage& image, const KeyDirectory& keys, ClientTokens& tokens);

}  // namespace hallmark::service
