// The changes that callers and administrators can ask for: the call, and what it does to the world.
#pragma once

#include "tests/crash/bench.h"
#include "tests/crash/world.h"

#include <functional>
#include <optional>
#include <string>

namespace hallmark::testing {

struct Change {
  // Harmless to repeat where it was not acknowledged.
  std::function<Outcome()> ask;
  // Makes `world` what it is once the change is done. `seen` is what came about: a key that nobody
  // was told of has an id all the same. If it is not as asked, `world` is made to differ from it.
  std::function<void(World* world, const World& seen)> apply;
  // The world before, where the daemon does not serve when the change is asked for.
  std::optional<World> before{};
  // Whether the daemon has finished by itself what it was cut short in; null: there is nothing.
  std::function<bool()> settled{};
  // The first stage that belongs to it; empty: all do.
  std::string first_stage{};
};

// With a tag, and with a client token, so that a repeat is recognised.
Change CreatesKey(Bench& bench);
Change CreatesAlias(Bench& bench, const std::string& key_id);
Change PointsAlias(Bench& bench, const std::string& name, const std::string& key_id);
Change DeletesAlias(Bench& bench, const std::string& name);
Change Enables(Bench& bench, const std::string& key_id);
Change Disables(Bench& bench, const std::string& key_id);
Change SchedulesDeletion(Bench& bench, const std::string& key_id);
// Of a key whose deletion is scheduled.
Change CancelsDeletion(Bench& bench, const std::string& key_id);
Change Describes(Bench& bench, const std::string& key_id);
Change Tags(Bench& bench, const std::string& key_id, const std::string& tag_key);
Change Untags(Bench& bench, const std::string& key_id, const std::string& tag_key);
// Under a name of its own, and with a client token, so that a repeat is recognised.
Change CreatesGrant(Bench& bench, const std::string& key_id);

struct NewGrant {
  std::string key_id;
  std::string id;
  std::string name;
};
// A grant that the administrator made on a new key, and may retire.
NewGrant MakesGrant(Bench& bench);
Change RetiresGrant(Bench& bench, const NewGrant& grant);
Change RevokesGrant(Bench& bench, const NewGrant& grant);
Change PutsPolicy(Bench& bench, const std::string& key_id);
Change AddsPrincipal(Bench& bench);
Change RemovesPrincipal(Bench& bench, const std::string& arn);

// A start that finds a key whose waiting period is over.
Change DeletesWhatIsDue(Bench& bench);
// A start that finds a CreateKey cut short, and undoes it.
Change StartsAfterCrash(Bench& bench);
// A stop that was asked for; the store is tidied up.
Change Stops(Bench& bench);

}  // namespace hallmark::testing
