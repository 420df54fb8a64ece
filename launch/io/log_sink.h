#pragma once
// Where the log goes, while it is not stderr.

#include <functional>
#include <string_view>

namespace ferry {

// From now on every line, without its end, goes there. After set_up_log().
void log_to(std::function<void(std::string_view line)> sink);
void log_to_stderr();

}  // namespace ferry
