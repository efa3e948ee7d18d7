#include "keystate/hsm.h"

#include <algorithm>
#include <cstdlib>

namespace hallmark {

MacTag::MacTag(ByteView bytes) : size_(bytes.size()) {
  if (size_ > bytes_.size()) std::abort();  // no HMAC of ours is longer
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

}  // namespace hallmark
