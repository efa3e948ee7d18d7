// A token that is out.
#pragma once

#include "keystate/hsm.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::testing {

// Refuses everything, as the port says that an Hsm does whose token cannot be reached. Tests that
// need one method of the port override that one.
class AbsentHsm : public Hsm {
 public:
  explicit AbsentHsm(std::string token_id = "main") : token_id_(std::move(token_id)) {}

  const std::string& token_id() const override { return token_id_; }
  bool available() const override { return false; }
  void ComputeMac(std::shared_ptr<MacTask> task) override {
    task->Finish(Unexpected(KeyUnavailable("the token is absent")));
  }
  Result<GeneratedKey> GenerateKey(const CkaId&, KeySpec, SteadyTime) override { return Absent(); }
  Status DestroyKey(const CkaId&, SteadyTime) override { return Absent(); }
  Result<ExaminedKey> ExamineKey(const CkaId&, KeySpec, SteadyTime) override { return Absent(); }
  Result<Bytes> GenerateRandom(std::size_t, SteadyTime) override { return Absent(); }
  std::vector<Bytes> ListKeys() const override { return {}; }
  std::size_t outstanding() const override { return 0; }
  std::size_t open_sessions() const override { return 0; }
  std::size_t session_budget() const override { return 0; }
  RecoveryCounts recoveries() const override { return {}; }
  HungCalls hung_calls() const override { return {}; }

 private:
  static Unexpected<Error> Absent() {
    return Fail(Exception::kDependencyTimeoutException, "The token is absent.");
  }

  const std::string token_id_;
};

}  // namespace hallmark::testing
