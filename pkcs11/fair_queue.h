// MACs that wait, in the order in which a token takes them: one line per principal, served in turn.
#pragma once

#include "keystate/hsm.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {

// Bounded; needs no memory once it is made, and no step takes longer the more is queued (Remove
// aside). All calls count alike, since all cost a token about the same.
//
// Thread-safety: none; MacQueue's lock guards it.
class FairQueue {
 public:
  struct Entry {
    std::shared_ptr<MacTask> task;
    SteadyTime deadline{};
  };
  // When a call will have its turn: not before either is over.
  struct Outlook {
    // Calls whose turn comes first: of every line as many as stand before it in its own.
    std::size_t ahead = 0;
    // As many turns as its principal needs for it, at the pace at which they came lately: others
    // bring calls while it waits, and these have their turns too.
    std::chrono::nanoseconds turns{0};
  };
  // The newest call of the principal that holds most.
  struct Newest {
    SteadyTime deadline{};
    Outlook outlook;
  };

  explicit FairQueue(std::size_t capacity);

  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == nodes_.size(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return nodes_.size(); }

  // Of a call that `principal` brings now.
  Outlook OutlookOf(std::uint64_t principal) const;

  // There is room.
  void Push(std::uint64_t principal, Entry entry);
  // The next in turn; there is one.
  Entry Pop(SteadyTime now);

  // Whether another principal would still hold more if this one brought one more.
  bool HoldsLess(std::uint64_t principal) const;
  // There is one.
  Newest NewestOfLargest() const;
  Entry TakeNewestOfLargest();

  // Gives every call of which `late` is true to `give`.
  template <class Late, class Give>
  void Remove(Late late, Give give);

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = UINT32_MAX;

  // In the list of its lane, or free.
  struct Node {
    Entry entry;
    Index lane = kNone;
    Index before = kNone;
    Index after = kNone;
  };
  // The line of one principal that has calls here; or free.
  struct Lane {
    std::uint64_t principal = 0;
    Index oldest = kNone;
    Index newest = kNone;
    Index size = 0;
    SteadyTime last_turn{};  // none yet: zero
    std::chrono::nanoseconds between_turns{0};
    // The circle of lanes, in the order of their turns.
    Index turn_before = kNone;
    Index turn_after = kNone;
    // Lanes of the same size.
    Index peer_before = kNone;
    Index peer_after = kNone;
    // Lanes of the same bucket; the next free one.
    Index next = kNone;
  };

  std::size_t BucketOf(std::uint64_t principal) const;
  Index Find(std::uint64_t principal) const;
  Index Open(std::uint64_t principal);
  void Close(Index lane);
  void Grow(Index lane);
  // Closes the lane with its last call.
  void Shrink(Index lane);
  void JoinPeers(Index lane);
  void LeavePeers(Index lane);
  Entry Take(Index node);
  // Of every lane at most `most` calls, added up.
  std::size_t InRounds(std::size_t most) const;
  void CountLanes(std::size_t of_size, int change);

  std::vector<Node> nodes_;
  std::vector<Lane> lanes_;
  std::vector<Index> buckets_;  // by hash of the principal: the first lane
  std::vector<Index> by_size_;  // the first lane of that many calls
  // How many lanes have at least so many calls, as a Fenwick tree.
  std::vector<Index> at_least_;
  Index free_node_ = 0;
  Index free_lane_ = 0;
  Index turn_ = kNone;  // whose turn it is
  std::size_t size_ = 0;
  std::size_t largest_ = 0;  // calls in the longest line
};

template <class Late, class Give>
void FairQueue::Remove(Late late, Give give) {
  if (turn_ == kNone) return;
  const Index last = lanes_[turn_].turn_before;
  bool more = true;
  for (Index lane = turn_; more;) {
    more = lane != last;
    const Index next_lane = lanes_[lane].turn_after;  // the lane may close
    for (Index node = lanes_[lane].oldest; node != kNone;) {
      const Index next = nodes_[node].after;
      if (late(std::as_const(nodes_[node].entry))) give(Take(node));
      node = next;
    }
    lane = next_lane;
  }
}

}  // namespace hallmark::pkcs11
