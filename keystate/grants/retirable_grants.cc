#include "keystate/grants/retirable_grants.h"

namespace hallmark {

void RetirableGrants::Update(const GrantSet& before, const GrantSet& after) {
  MutexLock lock(mu_);
  GrantSet::Diff(
      before, after,
      [this](const GrantPtr& removed) HALLMARK_REQUIRES(mu_) {
        const auto places = places_.find(removed->retiring_id);
        if (places == places_.end()) return;
        places->second.erase({removed->key_id, removed->id});
        if (places->second.empty()) places_.erase(places);
      },
      [this](const GrantPtr& added) HALLMARK_REQUIRES(mu_) {
        if (added->retiring_id.empty()) return;
        places_[added->retiring_id].insert({added->key_id, added->id});
      });
}

std::vector<GrantPlace> RetirableGrants::List(std::string_view retiring_id,
                                              const std::optional<GrantPlace>& after,
                                              std::size_t limit) const {
  std::vector<GrantPlace> page;
  MutexLock lock(mu_);
  const auto places = places_.find(retiring_id);
  if (places == places_.end()) return page;
  auto next = after ? places->second.upper_bound(*after) : places->second.begin();
  for (; next != places->second.end() && page.size() < limit; ++next) page.push_back(*next);
  return page;
}

}  // namespace hallmark
