// Node.js and its packages, as `node/package-lock.json` has them.
#pragma once

#include <string>

namespace hallmark::testing {

// Installs the packages if they are not there, and puts our programs next to them: modules are
// looked for where the program is. A failure fails the test.
void PrepareNode();
// A newer Node.js than Debian's; after PrepareNode.
std::string NodeProgram();
// Of ours: "mac.mjs".
std::string NodeScript(const std::string& name);

}  // namespace hallmark::testing
