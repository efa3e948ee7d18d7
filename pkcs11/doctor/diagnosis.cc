#include "pkcs11/doctor/diagnosis.h"

#include <algorithm>
#include <array>

namespace hallmark::pkcs11 {
namespace {

constexpr std::array kEnforcement{Subject::kSecrecy, Subject::kFixedInPlace, Subject::kFixedInCopy};

bool IsEnforcement(Subject subject) {
  return std::find(kEnforcement.begin(), kEnforcement.end(), subject) != kEnforcement.end();
}

}  // namespace

bool Diagnosis::healthy() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.verdict == Verdict::kFails; });
}

bool Diagnosis::makes_keys() const {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.subject == Subject::kKeyMaking && finding.verdict == Verdict::kPasses;
  });
}

bool Diagnosis::lets_keys_out() const {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return IsEnforcement(finding.subject) && finding.verdict == Verdict::kFails;
  });
}

bool Diagnosis::enforces() const {
  return std::all_of(kEnforcement.begin(), kEnforcement.end(), [this](Subject subject) {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return finding.subject == subject && finding.verdict == Verdict::kPasses;
    });
  });
}

const char* Title(Subject subject) {
  switch (subject) {
    case Subject::kMechanism:
      return "mechanism";
    case Subject::kKnownAnswer:
      return "known answer";
    case Subject::kKeyMaking:
      return "makes keys";
    case Subject::kRoundTrip:
      return "round trip";
    case Subject::kSecrecy:
      return "value cannot be read";
    case Subject::kFixedInPlace:
      return "stays unextractable";
    case Subject::kFixedInCopy:
      return "copies are unextractable";
    case Subject::kSessions:
      return "sessions";
  }
  return "";
}

const char* Title(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPasses:
      return "pass";
    case Verdict::kLacks:
      return "lacks";
    case Verdict::kFails:
      return "FAIL";
    case Verdict::kNotTried:
      return "not tried";
  }
  return "";
}

}  // namespace hallmark::pkcs11
