#include "service/authn/openssl.h"

#include <chrono>
#include <ctime>

namespace hallmark::authn {

std::optional<WallTime> ToWallTime(const ASN1_TIME* time) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return std::nullopt;
  return WallTime(std::chrono::seconds(timegm(&utc)));
}

}  // namespace hallmark::authn
