#include "service/authn/trust_domains.h"

#include "keystate/spiffe_id.h"
#include "service/authn/openssl.h"

#include <openssl/err.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace hallmark::authn {
namespace {

// Real chains have one or two.
constexpr int kMaxIntermediates = 8;

}  // namespace

Result<TrustDomains, std::string> TrustDomains::Of(const Bundles& bundles) {
  TrustDomains domains;
  for (const auto& [name, pem] : bundles) {
    const auto refuse = [&name = name](const char* reason) {
      return Unexpected<std::string>("trust domain " + name + ": " + reason);
    };
    if (!SpiffeId::IsTrustDomain(name)) return refuse("is no name of a trust domain");
    std::unique_ptr<X509_STORE, Free> store(X509_STORE_new());
    const Owned<BIO> reader = Reader(pem);
    std::size_t authorities = 0;
    while (const Owned<X509> authority = NextCertificate(reader.get())) {
      if (X509_STORE_add_cert(store.get(), authority.get()) != 1) {
        ERR_clear_error();
        return refuse(
            "OpenSSL does not take one of its CA certificates; put the current ones there");
      }
      ++authorities;
    }
    // The end of the text is an error to the reader, too.
    ERR_clear_error();
    if (authorities == 0) return refuse("its bundle holds no CA certificate");
    domains.stores_.emplace(name, std::move(store));
  }
  return domains;
}

std::optional<WallTime> TrustDomains::Vouch(std::string_view trust_domain,
                                            std::string_view certificate,
                                            std::string_view intermediates, WallTime now) const {
  const auto store = stores_.find(trust_domain);
  if (store == stores_.end()) return std::nullopt;
  const Owned<X509> leaf = NextCertificate(Reader(certificate).get());
  const Owned<STACK_OF(X509)> untrusted(sk_X509_new_null());
  const Owned<BIO> reader = Reader(intermediates);
  while (Owned<X509> next = NextCertificate(reader.get())) {
    if (sk_X509_num(untrusted.get()) == kMaxIntermediates) break;
    if (sk_X509_push(untrusted.get(), next.get()) <= 0) break;
    static_cast<void>(next.release());  // the stack's now
  }
  const Owned<X509_STORE_CTX> context(X509_STORE_CTX_new());
  // A CA may issue such a name, but is no workload itself.
  bool verified =
      leaf != nullptr && X509_check_ca(leaf.get()) == 0 && context != nullptr &&
      X509_STORE_CTX_init(context.get(), store->second.get(), leaf.get(), untrusted.get()) == 1 &&
      X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_CLIENT) == 1;
  if (verified) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
    X509_STORE_CTX_set_time(context.get(), 0, static_cast<std::time_t>(seconds.count()));
    verified = X509_verify_cert(context.get()) == 1;
  }
  ERR_clear_error();
  if (!verified) return std::nullopt;

  std::optional<WallTime> until;
  STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    const auto end = ToWallTime(X509_get0_notAfter(sk_X509_value(chain, i)));
    if (!end) return std::nullopt;
    until = until ? std::min(*until, *end) : *end;
  }
  return until;
}

}  // namespace hallmark::authn
