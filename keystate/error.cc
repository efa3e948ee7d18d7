#include "keystate/error.h"

#include <array>
#include <cstddef>
#include <utility>

namespace hallmark {
namespace {

constexpr std::array kTraits = {
#define HALLMARK_EXCEPTION(name, fault, retry, meaning) \
  ExceptionTraits{#name, Fault::fault, Retry::retry, meaning},
#include "keystate/exceptions.def"
#undef HALLMARK_EXCEPTION
};

}  // namespace

const ExceptionTraits& Describe(Exception exception) {
  return kTraits[static_cast<std::size_t>(exception)];
}

Error Throttled(std::chrono::milliseconds retry_after, std::string detail) {
  return {
      Exception::kThrottlingException,
      "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
      std::move(detail), retry_after};
}

Error KeyUnavailable(std::string detail) {
  return {Exception::kKeyUnavailableException,
          "The key cannot be used now because its token does not serve it; repeat the request.",
          std::move(detail)};
}

std::string ToString(const Error& error) {
  std::string text(Describe(error.exception).name);
  if (!error.message.empty()) text += ": " + error.message;
  if (!error.detail.empty()) text += " (" + error.detail + ")";
  return text;
}

}  // namespace hallmark
