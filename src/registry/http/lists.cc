#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "registry/http/call.h"

namespace holdfast::registry {
namespace {

constexpr size_t kNames = 1000;  // without n
constexpr size_t kMostNames = 10'000;

http::Response page_of(const Page& page, const std::string& path, const Paging& paging,
                       boost::json::object head, const char* field) {
  boost::json::array names;
  for (const std::string& name : page.names) names.push_back(boost::json::string(name));
  head[field] = std::move(names);
  http::Response response(200, "application/json", boost::json::serialize(head));
  if (page.more && !page.names.empty())
    response.header("Link", "<" + path + "?n=" + std::to_string(paging.limit) +
                                "&last=" + percent_encode(page.names.back()) + ">; rel=\"next\"");
  return response;
}

}  // namespace

Result<Paging> paging_of(const http::Request& request, size_t otherwise) {
  Paging paging{otherwise, std::string(request.query_value("last").value_or(""))};
  if (const auto text = request.query_value("n")) {
    const auto number = parse_u64(*text);
    if (!number)
      return fail(Code::invalid_argument, "pagination_invalid", "n must be a whole number from 0");
    paging.limit = std::min<uint64_t>(*number, kMostNames);
  }
  return paging;
}

Answer list_tags(Call& call) {
  CO_TRY(const Paging paging, paging_of(call.request, kNames));
  CO_TRY(const Page page, co_await call.registry.tags(call.name, paging.limit, paging.last));
  boost::json::object head;
  head["name"] = call.name;
  co_return page_of(page, "/v2/" + call.name + "/tags/list", paging, std::move(head), "tags");
}

Answer list_repositories(Call& call) {
  CO_TRY(const Paging paging, paging_of(call.request, kNames));
  CO_TRY(const Page page, co_await call.registry.repositories(paging.limit, paging.last));
  co_return page_of(page, "/v2/_catalog", paging, {}, "repositories");
}

Answer list_referrers(Call& call) {
  CO_TRY(const oci::Digest subject, oci::Digest::parse(call.reference));
  std::string type(call.request.query_value("artifactType").value_or(""));
  std::string last(call.request.query_value("last").value_or(""));
  CO_TRY(const Referrers found,
         co_await call.registry.referrers(call.name, subject, type, std::move(last)));
  http::Response response(200, oci::media::kIndex, oci::write_descriptors(found.manifests));
  if (!type.empty()) response.header("OCI-Filters-Applied", "artifactType");
  if (!found.next.empty())
    response.header("Link", "<" + location_of(call, "referrers", subject.str()) +
                                "?last=" + percent_encode(found.next) +
                                (type.empty() ? "" : "&artifactType=" + percent_encode(type)) +
                                ">; rel=\"next\"");
  co_return response;
}

}  // namespace holdfast::registry
