// The operations themselves, one function each. A function fills in `response` and returns success,
// or returns the refusal; it may assume that the request satisfies its schema.
#pragma once

#include "hallmark/v1/kms.pb.h"
#include "keystate/result.h"
#include "service/app/call_context.h"
#include "service/app/engine.h"

namespace hallmark::app {

Status CreateAlias(Engine& engine, CallContext& call, const v1::CreateAliasRequest& request,
                   v1::CreateAliasResponse* response);
Status CreateKey(Engine& engine, CallContext& call, const v1::CreateKeyRequest& request,
                 v1::CreateKeyResponse* response);
Status DescribeKey(Engine& engine, CallContext& call, const v1::DescribeKeyRequest& request,
                   v1::DescribeKeyResponse* response);
Status ListKeys(Engine& engine, CallContext& call, const v1::ListKeysRequest& request,
                v1::ListKeysResponse* response);

// These end on a thread of the token; `response` is written only just before `done` gets a success.
void GenerateMac(Engine& engine, const CallPtr& call, const v1::GenerateMacRequest& request,
                 v1::GenerateMacResponse* response, Done done);
void VerifyMac(Engine& engine, const CallPtr& call, const v1::VerifyMacRequest& request,
               v1::VerifyMacResponse* response, Done done);

}  // namespace hallmark::app
