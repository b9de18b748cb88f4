#include "blob/finds.h"

#include "blob/http/lists.h"
#include "blob/http/operations.h"
#include "blob/http/xml.h"
#include "blob/http/xml_text.h"

namespace holdfast::blob {

Answer find_blobs_by_tags(Call& call) {
  CO_TRY(const ListQuery list, list_query_of(call.request));
  const std::string where(call.request.query_value("where").value_or(""));
  if (where.empty())
    co_return fail(Code::invalid_argument, "missing_query",
                   "A query parameter that's mandatory for this request is not specified: where.");
  CO_TRY(const TagFilter filter, parse_tag_filter(where, TagGrammar::find));
  FindQuery query;
  query.account = call.address.account;
  query.container = call.address.container;
  query.tests = filter.any_of.front();  // there is no OR
  query.marker = list.marker;
  query.limit = list.limit;
  CO_TRY(const FindPage page, co_await find_by_tags(call.blobs, std::move(query)));
  std::string body =
      "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"" +
      xml_escape(service_endpoint(call)) + "\">" + element("Where", where) + "<Blobs>";
  for (const FoundTagged& found : page.items)
    body += "<Blob>" + name_element(found.name) + element("ContainerName", found.container) +
            tags_element(found.tags) + "</Blob>";
  body += "</Blobs>" + next_marker_element(page.next) + "</EnumerationResults>";
  co_return http::Response(200, "application/xml", std::move(body));
}

}  // namespace holdfast::blob
