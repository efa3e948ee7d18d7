// Principals at the start: from the store into memory.
#pragma once

#include "keystate/key_store.h"
#include "keystate/principal_directory.h"
#include "keystate/result.h"

namespace hallmark::app {

// Fills the directory from what the store holds.
//
// Errors: KMSInternalException when a stored policy is missing or does not compile: a store of
//   another version.
Status LoadPrincipals(const StoreImage& image, PrincipalDirectory& principals);

}  // namespace hallmark::app
