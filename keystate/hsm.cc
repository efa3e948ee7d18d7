#include "keystate/hsm.h"

#include <algorithm>
#include <cstdlib>

namespace hallmark {

MacTag::MacTag(ByteView bytes) : size_(bytes.size()) {
  if (size_ > bytes_.size()) std::abort();  // no HMAC of ours is longer
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

RecoveryCounts& RecoveryCounts::operator+=(const RecoveryCounts& other) {
  replaced_sessions += other.replaced_sessions;
  renewals += other.renewals;
  repairs += other.repairs;
  reinitialisations += other.reinitialisations;
  outages += other.outages;
  return *this;
}

}  // namespace hallmark
