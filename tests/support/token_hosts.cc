#include "tests/support/token_hosts.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace hallmark::testing {

std::string ReadProc(pid_t pid, const std::string& name) {
  std::ostringstream text;
  text << std::ifstream("/proc/" + std::to_string(pid) + "/" + name, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<pid_t> ChildrenOf(pid_t parent, const std::string& program) {
  // As the kernel cuts it.
  const std::string name = program.substr(0, 15);
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    // "PID (NAME) STATE PARENT …"
    const std::string stat = ReadProc(pid, "stat");
    const std::size_t open = stat.find('(');
    const std::size_t close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    if (stat.substr(open + 1, close - open - 1) != name) continue;
    char state = 0;
    pid_t its_parent = 0;
    std::istringstream(stat.substr(close + 1)) >> state >> its_parent;
    if (its_parent == parent && state != 'Z') children.push_back(pid);
  }
  std::sort(children.begin(), children.end());
  return children;
}

}  // namespace hallmark::testing
