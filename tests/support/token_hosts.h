// The processes that call tokens for another.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace hallmark::testing {

// Children of `parent` that run this program ("hallmark-token-host"), as ps would tell.
std::vector<pid_t> ChildrenOf(pid_t parent, const std::string& program);

// "/proc/PID/NAME", whole.
std::string ReadProc(pid_t pid, const std::string& name);

}  // namespace hallmark::testing
