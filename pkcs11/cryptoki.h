// The only include of the PKCS#11 C header.
#pragma once

#include <p11-kit/pkcs11.h>
