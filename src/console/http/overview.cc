#include "console/http/overview.h"

#include <boost/json/serialize.hpp>

#include "console/page_status_html.h"

namespace holdfast::console {
namespace {

namespace json = boost::json;

Task<Result<http::Response>> overview(const HubView& view, const std::vector<Section>& sections,
                                      const Clock& clock) {
  json::array out;
  for (const Section& section : sections) {
    json::object part;
    part["name"] = section.name;
    part["empty"] = section.empty;
    // One part that fails leaves the others readable.
    if (auto rows = co_await section.rows())
      part["rows"] = std::move(*rows);
    else
      part["error"] = rows.error().message();
    out.push_back(std::move(part));
  }
  json::object all;
  all["version"] = view.version;
  all["started"] = format_rfc3339(view.started);
  all["now"] = format_rfc3339(clock.now());
  all["sections"] = std::move(out);
  co_return http::Response(200, "application/json", json::serialize(all));
}

}  // namespace

void mount_overview(http::Router& router, const HubView& view, const std::vector<Section>& sections,
                    const Clock& clock) {
  router.add("GET", "/", http::Role::anonymous, [](http::Request&) -> Task<Result<http::Response>> {
    http::Response page(200, "text/html; charset=utf-8", std::string(k_page_status_html));
    // The page's own script and style, calls to this server, and nothing else.
    page.header("Content-Security-Policy",
                "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'")
        .header("Referrer-Policy", "no-referrer")
        .header("X-Content-Type-Options", "nosniff")
        .header("Cache-Control", "no-cache");
    co_return page;
  });
  router.add(
      "GET", "/api/v1/overview", http::Role::reader,
      [&view, &sections, &clock](http::Request&) { return overview(view, sections, clock); });
}

}  // namespace holdfast::console
