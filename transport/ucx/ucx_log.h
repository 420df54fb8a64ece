#pragma once
// What UCX has to say. It writes to the standard output unless told otherwise, which is where results go.

namespace ferry {

// From here on, to the standard error. Not when UCX_LOG_FILE says where it should go.
void keep_ucx_off_stdout();

}  // namespace ferry
