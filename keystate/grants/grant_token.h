// Grant tokens: how a caller tells a service that may not know a grant yet that there is one.
#pragma once

#include "keystate/ids.h"
#include "keystate/random.h"
#include "keystate/records.h"
#include "keystate/result.h"
#include "keystate/sealer.h"

#include <span>
#include <string>
#include <string_view>

namespace hallmark {

// What a token says. It is no secret and gives no permission by itself: it names a grant, which
// helps its grantee only, and says from which revision of the store on it is there, so that a
// replica that is behind can wait for it.
struct GrantToken {
  KeyId key_id;
  GrantId grant_id;
  Revision visible_at;
};

// A token of printable characters, another one each time; all tokens of one grant say the same.
std::string SealGrantToken(const Sealer& sealer, std::string_view store_id, const GrantToken& token,
                           RandomSource& random);

// Whether the grant still exists, and of which key it is, is for the caller to look at.
//
// Errors: InvalidGrantTokenException for a text that is no token, was altered, or comes from
//   another store or another history of this one.
Result<GrantToken> OpenGrantToken(const Sealer& sealer, std::string_view store_id,
                                  std::string_view text);

// The revision that the store must have reached before a call with these tokens on this key is
// decided; 0: any. Tokens of other keys are opened, but not waited for: they cannot help.
//
// Errors: InvalidGrantTokenException if one of them is not valid.
Result<Revision> RevisionToAwait(const Sealer& sealer, std::string_view store_id,
                                 std::span<const std::string_view> tokens, const KeyId& key_id);

}  // namespace hallmark
