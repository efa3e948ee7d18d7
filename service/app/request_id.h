// Names for calls.
#pragma once

#include <string>

namespace hallmark::app {

// A version 4 UUID. Unique, not secret: from a generator per thread that the system seeded, since a
// system call per request is dearer than the request id is worth.
std::string NewRequestId();

}  // namespace hallmark::app
