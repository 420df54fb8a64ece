#pragma once
// The doctor's reports, as they are printed.

#include <ostream>
#include <string>
#include <vector>

#include "launch/doctor/finding.h"
#include "launch/doctor/outline.h"
#include "launch/io/terminal.h"

namespace ferry {

int n_problems(const std::vector<HostReport>& reports);

// One JSON object, in one line; with groups and paths where there is an outline of them.
std::string json_of(const std::vector<HostReport>& reports, const ClusterOutline& outline);

void print_report(const std::vector<HostReport>& reports, std::ostream& out, Colours colours);

}  // namespace ferry
