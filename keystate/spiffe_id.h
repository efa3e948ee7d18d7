// The identity of a workload, as SPIFFE spells it.
#pragma once

#include "keystate/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark {

// "spiffe://example.org/billing/api": a trust domain and the path of a workload.
// Source: the SPIFFE-ID standard, sections 2 and 2.1 to 2.4.
class SpiffeId {
 public:
  static constexpr std::size_t kMaxBytes = 2048;

  // Errors: ValidationException that says what is wrong with the text.
  static Result<SpiffeId> Parse(std::string_view text);
  // "example.org".
  static bool IsTrustDomain(std::string_view name);

  const std::string& text() const { return text_; }
  std::string_view trust_domain() const;

 private:
  explicit SpiffeId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace hallmark
