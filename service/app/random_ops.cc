#include "service/app/operation_functions.h"
#include "service/app/pipeline.h"
#include "service/app/token_use.h"

#include <cstddef>

namespace hallmark::app {

Status GenerateRandom(Engine& engine, CallContext& call, const v1::GenerateRandomRequest& request,
                      v1::GenerateRandomResponse* response) {
  HALLMARK_RETURN_IF_ERROR(AuthorizeAccount(engine, call, call.operation));
  if (!request.has_number_of_bytes()) {
    return Fail(Exception::kValidationException, "NumberOfBytes is required.");
  }
  if (request.has_custom_key_store_id()) {
    return Fail(Exception::kUnsupportedOperationException,
                "Hallmark has no custom key stores: leave out CustomKeyStoreId.");
  }
  const auto size = static_cast<std::size_t>(request.number_of_bytes());
  const TokenSet::Token* const token = engine.tokens.FindUsable();
  if (token == nullptr) return NotUsable(engine.tokens.default_token());
  call.token_id = token->id();
  HALLMARK_ASSIGN_OR_RETURN(const Bytes random, token->hsm().GenerateRandom(size, call.deadline));
  response->set_plaintext(random.data(), random.size());
  return {};
}

}  // namespace hallmark::app
