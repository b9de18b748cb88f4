// What names and values may be. Source: mlflow/utils/validation.py. Pure functions; all failures
// are invalid_argument.
#pragma once

#include <string>
#include <string_view>

#include "ml/types.h"

namespace holdfast::ml {

inline constexpr size_t kBatchMetrics = 1000, kBatchPairs = 100, kBatchItems = 1000;
inline constexpr size_t kParamValue = 6000, kTagValue = 8000;
inline constexpr size_t kRegistryTagValue = 100'000, kExperimentTagValue = 20'000;

// A parameter's, metric's or tag's: 1 to 250 signs of / A–Z a–z 0–9 _ . - space : or any letter,
// and no path like "../a". `what` names it in the error.
Result<void> check_key(std::string_view what, std::string_view key);
Result<void> check_value(std::string_view what, std::string_view value, size_t limit);
Result<void> check_experiment_name(std::string_view name);
Result<void> check_run_id(std::string_view id);
Result<void> check_model_name(std::string_view name);
Result<void> check_alias(std::string_view alias);
// Counts, keys, a parameter that comes twice. Cuts over-long values, as MLflow does.
Result<void> check_batch(Batch& batch);

// Well formed, so that JSON can carry it (RFC 3629; no surrogates).
bool is_utf8(std::string_view text);
// At most `limit` bytes of the text, cut between its UTF-8 signs.
std::string cut(std::string text, size_t limit);
// "adjective-noun-123".
std::string made_up_name();
std::string random_hex();  // 32 hex digits

// The place in a list that a page token stands for; invalid_argument. "" is 0.
Result<int64_t> offset_of(std::string_view page_token);
std::string page_token(int64_t offset);

}  // namespace holdfast::ml
