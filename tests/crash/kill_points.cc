#include "tests/crash/kill_points.h"

#include "tests/support/child_process.h"

#include <set>
#include <sstream>

namespace hallmark::testing {
namespace {

struct Stage {
  std::string name;
  std::size_t calls;
};

std::vector<Stage> StagesOf(const std::vector<std::string>& trace) {
  std::vector<Stage> stages;
  for (const std::string& name : trace) {
    if (stages.empty() || stages.back().name != name) stages.push_back({name, 0});
    ++stages.back().calls;
  }
  return stages;
}

}  // namespace

std::string KillPoint::Row() const {
  const std::string number = std::to_string(stage) + " ";
  if (after) return number + "after " + name;
  if (name.starts_with("in ")) return number + "at a write " + name;
  return number + (call == 1 ? "before " : "amid ") + name;
}

std::vector<KillPoint> PointsOf(const std::vector<std::string>& trace, bool every) {
  std::vector<KillPoint> points;
  const std::vector<Stage> stages = StagesOf(trace);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& [name, calls] = stages[i];
    std::set<std::size_t> chosen{1, calls / 2 + 1, calls};
    if (every) {
      for (std::size_t call = 1; call <= calls; ++call) chosen.insert(call);
    }
    for (const std::size_t call : chosen) points.push_back({i + 1, call, false, name});
    if (i + 1 == stages.size()) points.push_back({i + 1, calls, true, name});
  }
  return points;
}

void KillControl::Record() const { Write("record\n"); }

std::vector<std::string> KillControl::Trace() const {
  std::istringstream text(ReadFile(file_.string() + ".trace"));
  std::vector<std::string> trace;
  for (std::string line; std::getline(text, line);) trace.push_back(line);
  return trace;
}

void KillControl::Arm(const KillPoint& point) const {
  Write("kill " + std::to_string(point.stage) + " " + std::to_string(point.call) +
        (point.after ? " after " : " before ") + point.name + "\n");
}

void KillControl::Disarm() const { Write(""); }

bool KillControl::struck() const { return std::filesystem::exists(file_.string() + ".struck"); }

void KillControl::Write(const std::string& order) const {
  if (!order.empty()) {
    std::filesystem::remove(file_.string() + ".trace");
    std::filesystem::remove(file_.string() + ".struck");
  }
  WriteFile(file_, order);
}

}  // namespace hallmark::testing
