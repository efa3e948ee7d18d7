#include "keystate/grants/retirable_grants.h"

namespace hallmark {

void RetirableGrants::Update(const GrantSet& before, const GrantSet& after) {
  std::vector<GrantPtr> removed;
  std::vector<GrantPtr> added;
  const auto into = [](std::vector<GrantPtr>& grants) {
    return [&grants](const GrantPtr& grant) {
      if (!grant->retiring_id.empty()) grants.push_back(grant);
    };
  };
  GrantSet::Diff(before, after, into(removed), into(added));
  if (removed.empty() && added.empty()) return;

  MutexLock lock(mu_);
  for (const GrantPtr& grant : removed) {
    const auto places = places_.find(grant->retiring_id);
    if (places == places_.end()) continue;
    places->second.erase({grant->key_id, grant->id});
    if (places->second.empty()) places_.erase(places);
  }
  for (const GrantPtr& grant : added) {
    places_[grant->retiring_id].insert({grant->key_id, grant->id});
  }
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
