#pragma once
// The processes of a cluster on behalf of one command: an mpirun for each group, started, watched and stopped.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/seam/clock.h"
#include "launch/config/cluster_config.h"
#include "launch/process/child.h"

namespace ferry {

// For what Open MPI keeps on this host: files, and memory that ranks share (empty: where it likes).
struct GroupFolders {
  std::filesystem::path files;
  std::filesystem::path memory;
};

// mpirun with what a group needs; `program` runs on each of its ranks. `is_root`: it wants to be told.
ProcessCommand mpirun_command(const GroupConfig& group, const std::vector<std::string>& program,
                              const GroupFolders& folders, bool is_root);

struct GroupExit {
  std::string group;
  ProcessExit exit;
  std::vector<std::string> last_lines;  // that it printed, oldest first

  std::string text() const;  // for people: how it ended and what it said last
};

class GroupProcesses {
 public:
  // Every line that a group prints goes to `sink` as "[decode-0] line".
  using Sink = std::function<void(std::string_view line)>;

  // `patience`: how long the mpirun of a group on this host may live on after one of its ranks has ended. Open MPI 4.1
  // sometimes stays forever when a rank is killed while it starts.
  explicit GroupProcesses(Sink sink, Duration patience = std::chrono::seconds(10));
  ~GroupProcesses();  // stop(Child::kGrace)
  GroupProcesses(const GroupProcesses&) = delete;
  GroupProcesses& operator=(const GroupProcesses&) = delete;

  // `program`: {"/usr/bin/ferry", "worker", "cluster.yaml", "--group", "decode-0"}. A group that ended may be started
  // again.
  void start(const GroupConfig& group, const std::vector<std::string>& program);

  // Passes on what the groups print; the next group that ended, if one did. Call it often.
  std::optional<GroupExit> poll();

  int n_running() const { return static_cast<int>(running_.size()); }

  // All groups at once: SIGTERM, then SIGKILL to what is left after `grace`.
  void stop(Duration grace);

 private:
  struct Running;

  Sink sink_;
  const Duration patience_;
  std::vector<std::unique_ptr<Running>> running_;
};

}  // namespace ferry
