#pragma once
// GET /: the cluster, live, in one HTML file without foreign resources. The build makes it of launch/serve/page/, and a
// part of the program.

#include <string>
#include <string_view>

namespace ferry {

std::string_view page_html();

// Its Content-Security-Policy: it runs the one script that stands in it, and talks to whom it came from.
std::string page_policy();

}  // namespace ferry
