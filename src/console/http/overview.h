// The status page: one page that reads, and one answer that holds all it shows.
#pragma once

#include <boost/json/array.hpp>

#include <functional>
#include <string>
#include <vector>

#include "console/console.h"

namespace holdfast::console {

// A table of the page. Each row is an object; its fields are the columns, in order. A field that
// ends in "bytes" is shown as a size, one that is an RFC 3339 time as local time.
struct Section {
  std::string name;
  std::string empty;  // what is said where there is no row
  std::function<Task<Result<boost::json::array>>()> rows;
};

// GET / is the page (anyone who reaches the door: it holds no data); GET /api/v1/overview its
// data, {version, started, now, sections: [{name, empty, rows | error}]}, for readers. `view` and
// the sections are read at each call and must outlive the router.
void mount_overview(http::Router& router, const HubView& view, const std::vector<Section>& sections,
                    const Clock& clock);

}  // namespace holdfast::console
