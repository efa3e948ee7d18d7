// Administration of the tokens of a running daemon: AdminService serves it.
#pragma once

#include "hallmark/v1/admin.pb.h"
#include "keystate/clock.h"
#include "keystate/key_directory.h"
#include "keystate/key_store.h"
#include "keystate/result.h"
#include "keystate/token_set.h"

namespace hallmark::app {

// All outlive it.
struct TokenAdmin {
  TokenSet& tokens;
  KeyDirectory& keys;
  KeyStore& store;
  const Clock& clock;
};

// Draining and resuming are durable, and in effect for every call that is begun after they return.
//
// Errors: ValidationException for the input; NotFoundException when no such token is configured;
//   ConflictException when somebody else changed the token or the key at the same time.
Status ListTokens(TokenAdmin& admin, const v1::ListTokensRequest& request,
                  v1::ListTokensResponse* response);
Status GetToken(TokenAdmin& admin, const v1::GetTokenRequest& request,
                v1::GetTokenResponse* response);
Status DrainToken(TokenAdmin& admin, const v1::DrainTokenRequest& request,
                  v1::DrainTokenResponse* response);
Status ResumeToken(TokenAdmin& admin, const v1::ResumeTokenRequest& request,
                   v1::ResumeTokenResponse* response);

// Blocks for the token. The object is proved to have the key's value by its check value.
//
// Errors: as above; NotFoundException when there is no such key or object; AlreadyExistsException
//   when the token holds the key already, or the object is another key's; ValidationException for
//   an anchor, for an object that is weaker than a key may be, and for one of another value;
//   DependencyTimeoutException when the token takes no calls.
Status AdoptKey(TokenAdmin& admin, const v1::AdoptKeyRequest& request,
                v1::AdoptKeyResponse* response);

}  // namespace hallmark::app
