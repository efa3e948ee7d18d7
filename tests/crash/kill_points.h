// Where a daemon under test can be killed, and having it killed there.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace hallmark::testing {

// One exact moment, as the kill switch counts (tests/support/kill_switch.h).
struct KillPoint {
  std::size_t stage;  // 0: the first of that name
  std::size_t call;   // within the stage
  bool after;
  std::string name;  // of the stage: "sync hallmark.db-wal", "C_GenerateKey"
  // The row of the table that it belongs to: "3 before sync hallmark.db-wal". Points that must have
  // the same outcome share a row.
  std::string row{};
};

// Every point of a recorded run, in its order: before each stage, within each stage of several
// calls, and after the last call. Calls that only read the token count as one stage here. Within a
// stage all calls if `every`, else some: what a token does inside one call of PKCS#11 and the pages
// of one commit are many.
std::vector<KillPoint> PointsOf(const std::vector<std::string>& trace, bool every);

// The control file of one daemon's kill switch.
class KillControl {
 public:
  explicit KillControl(std::filesystem::path file) : file_(std::move(file)) {}

  // From now on every point that is passed goes into the trace.
  void Record() const;
  std::vector<std::string> Trace() const;
  void Arm(const KillPoint& point) const;
  void Disarm() const;
  // Whether the armed point was reached.
  bool struck() const;

 private:
  void Write(const std::string& order) const;

  std::filesystem::path file_;
};

}  // namespace hallmark::testing
