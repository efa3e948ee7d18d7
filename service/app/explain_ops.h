// Why a call would be allowed or refused, for the operator. What callers are told is the operation
// Explain of KeyService.
#pragma once

#include "hallmark/v1/explain.pb.h"
#include "keystate/result.h"
#include "service/app/engine.h"

namespace hallmark::app {

// Shows everything about everybody. Reads memory only.
//
// Errors: ValidationException for the request, and where it names no principal; NotFoundException
//   when there is no such principal, key, alias or grant; InvalidArnException.
Status ExplainForOperator(const Engine& engine, const v1::ExplainRequest& request,
                          v1::ExplainResponse* response);

}  // namespace hallmark::app
