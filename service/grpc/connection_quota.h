// How many streams a connection has open: one client must not take the place of all others.
#pragma once

#include "keystate/mutex.h"

#include <cstddef>
#include <map>
#include <string>

namespace hallmark::grpc_front {

// Thread-safety: every method may be called from any thread.
class ConnectionQuota {
 public:
  explicit ConnectionQuota(std::size_t most) : most_(most) {}

  // False: the connection has all that it may have. `connection` is ServerContext::peer().
  bool Take(const std::string& connection) HALLMARK_EXCLUDES(mu_) {
    const MutexLock lock(mu_);
    std::size_t& taken = taken_[connection];
    if (taken >= most_) return false;
    ++taken;
    return true;
  }

  // What was taken.
  void Return(const std::string& connection) HALLMARK_EXCLUDES(mu_) {
    const MutexLock lock(mu_);
    const auto found = taken_.find(connection);
    if (--found->second == 0) taken_.erase(found);
  }

 private:
  const std::size_t most_;
  Mutex mu_;
  std::map<std::string, std::size_t> taken_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark::grpc_front
