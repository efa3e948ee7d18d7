// Who may retire a grant: the grant says it, and policies may take it away.
#pragma once

#include "keystate/authorize.h"
#include "keystate/grants/grant_rules.h"
#include "keystate/key_view.h"
#include "service/app/access.h"

#include <optional>

namespace hallmark::app {

// The question whether the asker may retire the grant. All that it is made of must outlive it.
class Retirement {
 public:
  Retirement(const Asker& asker, const KeyView& view, const GrantRecord& grant);

  const AccessRequest& access() const { return question_.access(); }
  RetireRight right() const { return may_.right; }
  Question& question() { return question_; }
  // A permission without a right is not enough.
  Decision Decide() const;

 private:
  // The grant, where rules have said what it may do for the caller.
  class TheGrant final : public GrantSource {
   public:
    explicit TheGrant(GrantMatch match) : match_(match) {}
    void VisitGrants(const AccessRequest& /*request*/, GrantVisitor& visitor) const override {
      visitor.Visit(match_);
    }

   private:
    const GrantMatch match_;
  };

  const RetireDecision may_;
  Question question_;
  std::optional<TheGrant> source_;
};

}  // namespace hallmark::app
