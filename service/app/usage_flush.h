// Writes what was noted of the keys' last usage into the store, off the hot path.
#pragma once

#include "keystate/key_directory.h"
#include "keystate/key_store.h"
#include "keystate/last_usage.h"
#include "keystate/result.h"

namespace hallmark::app {

// Stores what has changed since the last flush; forgets keys that have ended. Belongs to the thread
// that also ends keys, since both write these records.
//
// Errors: what the store answers; what was not stored is stored next time.
Status FlushUsage(LastUsage& last_usage, const KeyDirectory& keys, KeyStore& store);

}  // namespace hallmark::app
