#include "tests/crash/kill_points.h"

#include "tests/support/child_process.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

namespace hallmark::testing {
namespace {

// Calls of PKCS#11 that are known to change nothing on a token. If one should write all the same,
// that is a stage "in" it.
bool Reads(const std::string& name) {
  static const std::set<std::string> kWriters{
      "C_CopyObject",  "C_CreateObject",      "C_DestroyObject", "C_Finalize",
      "C_GenerateKey", "C_Initialize",        "C_Login",         "C_Logout",
      "C_SetPIN",      "C_SetAttributeValue", "C_InitPIN",       "C_InitToken",
      "C_UnwrapKey",   "C_GenerateKeyPair"};
  return name.starts_with("C_") && !kWriters.contains(name);
}

// A run of the same call, or of calls that only read the token.
struct Group {
  std::string first;
  std::string last;
  std::vector<KillPoint> calls;
};

std::vector<Group> GroupsOf(const std::vector<std::string>& trace) {
  std::vector<Group> groups;
  std::size_t stage = 0;
  std::size_t call = 0;
  std::string previous;
  for (const std::string& name : trace) {
    if (name != previous) {
      ++stage;
      call = 0;
      if (!Reads(name) || !Reads(previous)) groups.push_back({name, name, {}});
      previous = name;
    }
    groups.back().last = name;
    groups.back().calls.push_back({stage, ++call, false, name});
  }
  return groups;
}

// Which calls of a group are points, from 0.
std::set<std::size_t> Chosen(const Group& group, bool every) {
  const std::size_t last = group.calls.size() - 1;
  // How many pages a checkpoint moves depends on all that came before.
  if (group.first == "write hallmark.db") return {0, std::min<std::size_t>(1, last)};
  std::set<std::size_t> chosen{0, (last + 1) / 2, last};
  if (every) {
    for (std::size_t call = 0; call < last; ++call) chosen.insert(call);
  }
  return chosen;
}

}  // namespace

std::vector<KillPoint> PointsOf(const std::vector<std::string>& trace, bool every) {
  std::vector<KillPoint> points;
  std::size_t number = 0;
  for (const Group& group : GroupsOf(trace)) {
    const std::string prefix = std::to_string(++number) + " ";
    const std::string name =
        group.first == group.last ? group.first : group.first + " … " + group.last;
    for (const std::size_t call : Chosen(group, every)) {
      KillPoint point = group.calls[call];
      const char* where = name.starts_with("in ") ? "at a write " : call == 0 ? "before " : "amid ";
      point.row = prefix + where + name;
      points.push_back(std::move(point));
    }
  }
  if (points.empty()) return points;
  KillPoint end = points.back();
  end.after = true;
  end.row = std::to_string(number) + " after " + end.name;
  points.push_back(std::move(end));
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
