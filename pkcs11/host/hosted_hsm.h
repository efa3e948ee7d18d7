// Hsm on a PKCS#11 token that is called in processes of its own.
#pragma once

#include "pkcs11/token_hsm.h"

namespace hallmark::pkcs11::host {

// As pkcs11::Open with options.hosts > 0.
// Errors: kConfiguration, too, when the hosts cannot be started or their user cannot be taken.
Result<OpenToken, OpenError> OpenHosted(const TokenOptions& options, const TokenRecord& anchor,
                                        EventSink events);

}  // namespace hallmark::pkcs11::host
