// The other end: a process that calls one token for hallmarkd.
#pragma once

#include "keystate/random.h"

namespace hallmark::pkcs11::host {

// Serves whoever has the other end of `socket` until that is closed, and returns the process's exit
// code. The process does nothing else; it ends with its parent.
int ServeToken(int socket, RandomSource& random);

}  // namespace hallmark::pkcs11::host
