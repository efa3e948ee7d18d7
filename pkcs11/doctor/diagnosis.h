// What was found out about a token.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::pkcs11 {

enum class Verdict {
  kPasses,
  kLacks,     // the token cannot do this, and says so
  kFails,     // it does it wrongly, or does what it must refuse
  kNotTried,  // what it would take cannot be had on this token
};

enum class Subject {
  kMechanism,     // offered for keys of a spec
  kKnownAnswer,   // a key with a published value gives the published MAC
  kKeyMaking,     // C_GenerateKey makes a key, and with the attributes that were asked for
  kRoundTrip,     // such a key tells messages apart, and two sessions agree on its MACs
  kSecrecy,       // CKA_VALUE of such a key cannot be read
  kFixedInPlace,  // C_SetAttributeValue cannot make it extractable
  kFixedInCopy,   // C_CopyObject cannot make an extractable copy
  kSessions,      // as many sessions as the configuration wants can be open
};

struct Finding {
  Subject subject;
  std::string of;  // the spec, as "HMAC_256"; empty: of none
  Verdict verdict;
  std::string detail;  // one line, as "C_CopyObject: CKR_ATTRIBUTE_READ_ONLY"
};

// As the token and its driver call themselves.
struct TokenIdentity {
  std::string label;
  std::string manufacturer;
  std::string model;
  std::string serial;
  std::string firmware;
  std::string library;
};

// MACs of 32 bytes under one key, one call at a time in each thread.
struct Rates {
  double one_thread_per_second = 0;
  double threads_per_second = 0;
  std::size_t threads = 0;
};

struct Diagnosis {
  TokenIdentity identity;
  std::vector<Finding> findings;
  // Nothing: no key could be made.
  std::optional<Rates> rates;
  // One C_FindObjects by CKA_ID, the median of several, among so many secret keys.
  std::chrono::nanoseconds find_cost{0};
  std::size_t secret_keys = 0;

  // Nothing failed; what the token lacks, and says so, is no failure.
  bool healthy() const;
  bool makes_keys() const;
  // The token gave away, or let be made extractable, what was to stay in it.
  bool lets_keys_out() const;
  // It was tried in every way, and never did.
  bool enforces() const;
};

// "makes keys", "value cannot be read"
const char* Title(Subject subject);
// "pass", "lacks", "FAIL", "not tried"
const char* Title(Verdict verdict);

}  // namespace hallmark::pkcs11
