// What the store says against what a token holds.
#pragma once

#include "keystate/bytes.h"
#include "keystate/hsm.h"
#include "keystate/key_store.h"

#include <vector>

namespace hallmark::app {

struct TokenInventory {
  // CKA_ID of each object that no record names; once for each object, empty where it has none.
  std::vector<Bytes> orphans;
  // Ready bindings whose object is not there.
  std::vector<BindingRecord> missing;
};

// `listed` is what the token listed before `image` was loaded: a record is durable before its
// object comes into being, so no key that is being made is taken for an orphan.
TokenInventory TakeInventory(const std::vector<Bytes>& listed, const StoreImage& image,
                             const Hsm& hsm);

}  // namespace hallmark::app
