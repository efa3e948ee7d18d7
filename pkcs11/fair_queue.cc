#include "pkcs11/fair_queue.h"

#include <algorithm>
#include <bit>

namespace hallmark::pkcs11 {
namespace {

// Weight of the newest turn in the running average of the time between turns.
constexpr int kPaceOver = 8;

}  // namespace

FairQueue::FairQueue(std::size_t capacity)
    : nodes_(std::max<std::size_t>(1, capacity)),
      lanes_(nodes_.size()),
      buckets_(std::bit_ceil(nodes_.size()), kNone),
      by_size_(nodes_.size() + 1, kNone),
      at_least_(nodes_.size() + 1, 0) {
  for (Index i = 0; i + 1 < nodes_.size(); ++i) {
    nodes_[i].after = i + 1;
    lanes_[i].next = i + 1;
  }
}

std::size_t FairQueue::BucketOf(std::uint64_t principal) const {
  // Principals need not be spread over all 64 bits: Fibonacci hashing spreads them.
  return static_cast<std::size_t>((principal * 0x9E3779B97F4A7C15U) >> 32U) & (buckets_.size() - 1);
}

FairQueue::Index FairQueue::Find(std::uint64_t principal) const {
  Index lane = buckets_[BucketOf(principal)];
  while (lane != kNone && lanes_[lane].principal != principal) lane = lanes_[lane].next;
  return lane;
}

FairQueue::Index FairQueue::Open(std::uint64_t principal) {
  const Index index = free_lane_;
  Lane& lane = lanes_[index];
  free_lane_ = lane.next;
  lane = {};
  lane.principal = principal;
  lane.next = std::exchange(buckets_[BucketOf(principal)], index);
  if (turn_ == kNone) {
    turn_ = lane.turn_before = lane.turn_after = index;
    return index;
  }
  // Last in this round.
  lane.turn_after = turn_;
  lane.turn_before = std::exchange(lanes_[turn_].turn_before, index);
  lanes_[lane.turn_before].turn_after = index;
  return index;
}

void FairQueue::Close(Index index) {
  Lane& lane = lanes_[index];
  Index* link = &buckets_[BucketOf(lane.principal)];
  while (*link != index) link = &lanes_[*link].next;
  *link = lane.next;
  lanes_[lane.turn_before].turn_after = lane.turn_after;
  lanes_[lane.turn_after].turn_before = lane.turn_before;
  if (turn_ == index) turn_ = lane.turn_after == index ? kNone : lane.turn_after;
  lane.next = std::exchange(free_lane_, index);
}

void FairQueue::JoinPeers(Index index) {
  Lane& lane = lanes_[index];
  lane.peer_before = kNone;
  lane.peer_after = std::exchange(by_size_[lane.size], index);
  if (lane.peer_after != kNone) lanes_[lane.peer_after].peer_before = index;
}

void FairQueue::LeavePeers(Index index) {
  const Lane& lane = lanes_[index];
  if (lane.peer_before == kNone) {
    by_size_[lane.size] = lane.peer_after;
  } else {
    lanes_[lane.peer_before].peer_after = lane.peer_after;
  }
  if (lane.peer_after != kNone) lanes_[lane.peer_after].peer_before = lane.peer_before;
}

void FairQueue::Grow(Index index) {
  Lane& lane = lanes_[index];
  if (lane.size > 0) LeavePeers(index);
  ++lane.size;
  JoinPeers(index);
  CountLanes(lane.size, 1);
  largest_ = std::max<std::size_t>(largest_, lane.size);
  ++size_;
}

void FairQueue::Shrink(Index index) {
  Lane& lane = lanes_[index];
  CountLanes(lane.size, -1);
  LeavePeers(index);
  // This very lane is of the next smaller size.
  if (lane.size == largest_ && by_size_[largest_] == kNone) --largest_;
  --lane.size;
  --size_;
  if (lane.size > 0) {
    JoinPeers(index);
  } else {
    Close(index);
  }
}

void FairQueue::CountLanes(std::size_t of_size, int change) {
  for (std::size_t i = of_size; i < at_least_.size(); i += i & (~i + 1)) {
    at_least_[i] += static_cast<Index>(change);  // unsigned: -1 wraps as it should
  }
}

std::size_t FairQueue::InRounds(std::size_t most) const {
  std::size_t calls = 0;
  for (std::size_t i = std::min(most, nodes_.size()); i > 0; i -= i & (~i + 1)) {
    calls += at_least_[i];
  }
  return calls;
}

FairQueue::Outlook FairQueue::OutlookOf(std::uint64_t principal) const {
  const Index index = Find(principal);
  if (index == kNone) return {InRounds(1), {}};
  const Lane& lane = lanes_[index];
  return {InRounds(lane.size + 1), lane.between_turns * (lane.size + 1)};
}

void FairQueue::Push(std::uint64_t principal, Entry entry) {
  Index index = Find(principal);
  if (index == kNone) index = Open(principal);
  Lane& lane = lanes_[index];
  const Index node = free_node_;
  free_node_ = nodes_[node].after;
  nodes_[node] = {std::move(entry), index, lane.newest, kNone};
  if (lane.newest == kNone) {
    lane.oldest = node;
  } else {
    nodes_[lane.newest].after = node;
  }
  lane.newest = node;
  Grow(index);
}

FairQueue::Entry FairQueue::Take(Index index) {
  Node& node = nodes_[index];
  Lane& lane = lanes_[node.lane];
  (node.before == kNone ? lane.oldest : nodes_[node.before].after) = node.after;
  (node.after == kNone ? lane.newest : nodes_[node.after].before) = node.before;
  Entry entry = std::move(node.entry);
  Shrink(node.lane);
  node.after = std::exchange(free_node_, index);
  return entry;
}

FairQueue::Entry FairQueue::Pop(SteadyTime now) {
  Lane& lane = lanes_[turn_];
  turn_ = lane.turn_after;
  // The lane was open all the time, so its principal had calls waiting.
  if (lane.last_turn != SteadyTime{}) {
    const std::chrono::nanoseconds passed = now - lane.last_turn;
    lane.between_turns = lane.between_turns.count() == 0
                             ? passed
                             : lane.between_turns + (passed - lane.between_turns) / kPaceOver;
  }
  lane.last_turn = now;
  return Take(lane.oldest);
}

bool FairQueue::HoldsLess(std::uint64_t principal) const {
  const Index lane = Find(principal);
  return (lane == kNone ? 0 : lanes_[lane].size) + 1 < largest_;
}

FairQueue::Newest FairQueue::NewestOfLargest() const {
  const Lane& lane = lanes_[by_size_[largest_]];
  return {nodes_[lane.newest].entry.deadline,
          {InRounds(lane.size) - 1, lane.between_turns * lane.size}};
}

FairQueue::Entry FairQueue::TakeNewestOfLargest() {
  return Take(lanes_[by_size_[largest_]].newest);
}

}  // namespace hallmark::pkcs11
