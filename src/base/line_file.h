// Files of JSON lines, appended durably, closed by rename. Blocking; one thread at a time.
//
// While open a file is `.<kind>-<UTC yyyymmddThhmmss>-<8 hex>.jsonl.open` and invisible to the
// uplink; close() renames it to `<kind>-….jsonl`. The first four of the 8 hex digits name the
// flow, so that several flows may share a folder.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"

namespace holdfast {

class LineFile {
 public:
  // Takes up an open file of `flow` that an earlier life left in `folder` (created if missing): a
  // torn last line is cut off, its other lines' ids count as answered. Several left files: the
  // newest is taken up, the others wait in leftovers(). As errno_error() maps.
  static Result<LineFile> open(std::filesystem::path folder, std::string kind, std::string flow,
                               const Clock& clock);

  // Appends whole lines (without line ends; each holds its event's id) in one write and one
  // fdatasync, making the file where none is open. On failure nothing counts as appended: the file
  // is cut back to its durable length, and where that fails too every further append fails until it
  // works. unavailable: disk full.
  Result<void> append(const std::vector<std::string>& lines, const std::vector<std::string>& ids);
  // Renames the open file to its final name, durably. Nothing to do where none is open.
  Result<void> close();

  bool is_open() const { return static_cast<bool>(fd_); }
  bool has_leftovers() const { return !leftovers_.empty(); }
  size_t lines() const { return ids_.size(); }
  // Of the open file and the leftovers.
  bool answered(const std::string& id) const { return ids_.contains(id) || left_ids_.contains(id); }
  std::set<std::string> ids() const;
  WallTime opened() const { return opened_; }  // to the second

  LineFile(LineFile&&) = default;
  LineFile& operator=(LineFile&&) = default;

 private:
  LineFile(std::filesystem::path folder, std::string kind, std::string flow, const Clock& clock);
  Result<void> create();
  Result<void> take_up(const std::string& name);
  Result<void> rename_away(const std::string& open_name) const;

  std::filesystem::path folder_;
  std::string kind_;
  std::string flow_mark_;  // four hex digits
  const Clock* clock_;
  std::string name_;  // of the open file
  Fd fd_;
  uint64_t durable_ = 0;  // bytes that an fdatasync has covered
  bool broken_ = false;   // the file may hold more than `durable_`
  WallTime opened_{};
  std::set<std::string> ids_, left_ids_;
  std::vector<std::string> leftovers_;
};

// The id of a line; empty where it is not a whole line of ours.
std::string id_of_line(std::string_view line);

}  // namespace holdfast
