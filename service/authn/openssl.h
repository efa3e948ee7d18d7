// What OpenSSL hands out, owned.
#pragma once

#include "keystate/clock.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <optional>
#include <string_view>

namespace hallmark::authn {

struct OpensslDelete {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
  void operator()(STACK_OF(X509) * certificates) const {
    sk_X509_pop_free(certificates, X509_free);
  }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  void operator()(unsigned char* der) const { OPENSSL_free(der); }
};
template <class T>
using Owned = std::unique_ptr<T, OpensslDelete>;

// Reads `pem` in place.
inline Owned<BIO> Reader(std::string_view pem) {
  return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// The next certificate of the text; null at its end or where it is damaged.
inline Owned<X509> NextCertificate(BIO* reader) {
  return Owned<X509>(PEM_read_bio_X509(reader, nullptr, nullptr, nullptr));
}

std::optional<WallTime> ToWallTime(const ASN1_TIME* time);

}  // namespace hallmark::authn
