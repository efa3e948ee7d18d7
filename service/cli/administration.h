// AdminService of the running daemon; without a daemon, the same functions on its store.
#pragma once

#include "hallmark/v1/admin.pb.h"
#include "service/cli/client.h"
#include "service/cli/home.h"

namespace hallmark::cli {

// Each asks the daemon of `home` over its Unix socket; if nothing listens there, opens the store.
// A daemon that listens but fails to answer is an error: the store is never opened beside it.
Result<void, CallFailure> Administer(const Home& home, const v1::AddPrincipalRequest& request,
                                     v1::AddPrincipalResponse* response);
Result<void, CallFailure> Administer(const Home& home, const v1::ListPrincipalsRequest& request,
                                     v1::ListPrincipalsResponse* response);
Result<void, CallFailure> Administer(const Home& home, const v1::GetPrincipalRequest& request,
                                     v1::GetPrincipalResponse* response);
Result<void, CallFailure> Administer(const Home& home, const v1::RotatePrincipalRequest& request,
                                     v1::RotatePrincipalResponse* response);
Result<void, CallFailure> Administer(const Home& home, const v1::RemovePrincipalRequest& request,
                                     v1::RemovePrincipalResponse* response);
Result<void, CallFailure> Administer(const Home& home, const v1::AttachPolicyRequest& request,
                                     v1::AttachPolicyResponse* response);
Result<void, CallFailure> Administer(const Home& home, const v1::DetachPolicyRequest& request,
                                     v1::DetachPolicyResponse* response);
Result<void, CallFailure> Administer(const Home& home, const v1::TagPrincipalRequest& request,
                                     v1::TagPrincipalResponse* response);
Result<void, CallFailure> Administer(const Home& home, const v1::UntagPrincipalRequest& request,
                                     v1::UntagPrincipalResponse* response);

// Asks the daemon of `home` for what only a running one can tell or do: `method` of AdminService.
Result<void, CallFailure> AskDaemon(const Home& home, const char* method,
                                    const google::protobuf::Message& request,
                                    google::protobuf::Message* response);

}  // namespace hallmark::cli
