#include "blob/http/operations.h"
#include "blob/http/pages.h"

namespace holdfast::blob {

Answer set_blob_metadata(Call& call) {
  CO_TRY(Pairs metadata, metadata_of(call.request));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(const Info info, co_await call.blobs.set_properties(call.key(), std::nullopt,
                                                             std::move(metadata), conditions));
  co_return written(200, info);
}

Answer set_blob_headers(Call& call) {
  if (changes_pages(call.request)) co_return co_await set_page_properties(call);
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(Pairs headers, blob_headers_of(call.request, false));
  CO_TRY(const Info info, co_await call.blobs.set_properties(call.key(), std::move(headers),
                                                             std::nullopt, conditions));
  co_return written(200, info);
}

}  // namespace holdfast::blob
