// One daemon and the principals that every case may call as; cases make their own keys.
#pragma once

#include "tests/support/test_daemon.h"

#include <map>
#include <string>

namespace hallmark::testing {

class World {
 public:
  World();

  TestDaemon& daemon() { return daemon_; }

  // Throw CaseError for a caller that is not there, or is there already.
  const Client& ClientFor(const std::string& caller) const;
  AwsClient& AwsClientFor(const std::string& caller);
  void Add(const std::string& caller, const std::string& arn, const std::string& policy);
  void Remove(const std::string& caller);

  // "arn:grantee" → the ARN of the caller grantee, and "id:grantee" → its unique id, for every
  // caller.
  std::map<std::string, std::string> Variables() const;

  // Key states that no operation can set yet are set in the store while the daemon is down.
  void SetState(const std::string& key_id, const std::string& state);

 private:
  struct Caller {
    std::string arn;
    std::string unique_id;
    Client client;
    AwsClient aws_client;
  };

  std::string UniqueIdOf(const std::string& arn) const;

  TestDaemon daemon_{TestDaemon::Options{.aws = true}};
  std::map<std::string, Caller> callers_;
};

}  // namespace hallmark::testing
