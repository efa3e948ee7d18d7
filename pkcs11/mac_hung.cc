// The part of MacQueue that gives up calls which do not come back.
#include "pkcs11/mac_queue_state.h"

#include <exception>
#include <utility>

namespace hallmark::pkcs11 {

void MacQueue::State::WriteOff(std::size_t place) {
  std::unique_ptr<MacComputer> computer;
  try {
    computer = make_computer();
  } catch (const std::exception&) {
    return;  // no memory: the next tick tries again
  }
  std::size_t now_out = 0;
  {
    MutexLock lock(mu);
    Running& call = running[place];
    if (!Hangs(call, std::chrono::steady_clock::now())) return;
    if (!spare.empty()) {
      const std::size_t fresh = spare.back();
      spare.pop_back();
      computers[fresh] = std::move(computer);
      free.push_back(fresh);
      call.written_off = true;
      if (!call.borrowed) --working;
      now_out = hung_now.fetch_add(1, std::memory_order_relaxed) + 1;
      written_off.fetch_add(1, std::memory_order_relaxed);
    } else if (std::exchange(told_too_many, true)) {
      return;
    }
  }
  if (now_out == 0) return events.too_many();
  work.notify_one();
  events.written_off(now_out);
}

bool MacQueue::State::WrittenOff(std::size_t place) {
  if (hung_now.load(std::memory_order_relaxed) == 0) return false;  // as ever: no lock
  MutexLock lock(mu);
  return running[place].written_off;
}

void MacQueue::State::Retire(std::size_t place) {
  computers[place]->Retire();
  computers[place].reset();
  MutexLock lock(mu);
  running[place] = {};
  spare.push_back(place);
  hung_now.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace hallmark::pkcs11
