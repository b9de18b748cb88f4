#include <algorithm>

#include "blob/lifecycle.h"

namespace holdfast::blob {
namespace {

constexpr size_t kRules = 100, kPrefixes = 10, kTags = 10;

enum class Part { base, snapshot, version };

Result<std::optional<double>> days(YamlMap& map, const char* key) {
  if (!map.has(key)) return std::nullopt;
  TRY(const double value, map.number_or(key, 0));
  if (!(value >= 0 && value <= 36'500))
    return std::unexpected(map.error_at(key, "must be from 0 to 36500 days"));
  return value;
}

Result<LifecycleAge> age_of(YamlMap& actions, const char* name, Part part) {
  LifecycleAge age;
  if (!actions.has(name)) return age;
  TRY(YamlMap map, actions.map(name));
  if (part == Part::base) {
    TRY(age.modified, days(map, "daysAfterModificationGreaterThan"));
  }
  TRY(age.created, days(map, "daysAfterCreationGreaterThan"));
  for (const char* other :
       {"daysAfterLastAccessTimeGreaterThan", "daysAfterLastTierChangeGreaterThan"}) {
    if (map.has(other))
      return std::unexpected(map.error_at(other, "is not offered: no such time is kept"));
  }
  TRY_VOID(map.finish());
  if (!age.wanted())
    return std::unexpected(actions.error_at(name, part == Part::base
                                                      ? "needs daysAfterModificationGreaterThan or "
                                                        "daysAfterCreationGreaterThan"
                                                      : "needs daysAfterCreationGreaterThan"));
  return age;
}

Result<LifecycleActions> actions_of(YamlMap& all, const char* name, Part part) {
  LifecycleActions actions;
  TRY(YamlMap map, all.map(name));
  for (const char* other : {"tierToHot", "enableAutoTierToHotFromCool"}) {
    if (map.has(other)) return std::unexpected(map.error_at(other, "is not offered"));
  }
  TRY(actions.cool, age_of(map, "tierToCool", part));
  TRY(actions.cold, age_of(map, "tierToCold", part));
  TRY(actions.archive, age_of(map, "tierToArchive", part));
  TRY(actions.remove, age_of(map, "delete", part));
  TRY_VOID(map.finish());
  return actions;
}

Result<void> parse_filters(YamlMap& map, LifecycleRule& rule) {
  TRY(const auto types, map.texts_or("blobTypes", {}));
  for (const std::string& type : types) {
    if (type != "blockBlob" && type != "appendBlob")
      return std::unexpected(map.error_at("blobTypes", "must be of blockBlob and appendBlob"));
    rule.types.push_back(type == "blockBlob" ? BlobType::block : BlobType::append);
  }
  if (rule.types.empty())
    return std::unexpected(map.error_at("blobTypes", "names blockBlob, appendBlob or both"));
  TRY(rule.prefixes, map.texts_or("prefixMatch", {}));
  if (rule.prefixes.size() > kPrefixes)
    return std::unexpected(map.error_at("prefixMatch", "holds at most 10 prefixes"));
  for (const std::string& prefix : rule.prefixes) {
    if (prefix.empty() || prefix.starts_with('/') || prefix.size() > 1100)
      return std::unexpected(map.error_at("prefixMatch", "a prefix begins with a container"));
  }
  TRY(auto tags, map.maps("blobIndexMatch"));
  if (tags.size() > kTags)
    return std::unexpected(map.error_at("blobIndexMatch", "holds at most 10 tags"));
  for (YamlMap& tag : tags) {
    TRY(std::string name, tag.text("name"));
    TRY(const std::string op, tag.text_or("op", "=="));
    if (op != "==") return std::unexpected(tag.error_at("op", "must be =="));
    TRY(std::string value, tag.text("value"));
    TRY_VOID(tag.finish());
    rule.tags.emplace_back(std::move(name), std::move(value));
  }
  return map.finish();
}

Result<LifecycleRule> parse_rule(YamlMap& map) {
  LifecycleRule rule;
  TRY(rule.name, map.text("name"));
  if (rule.name.empty() || rule.name.size() > 256)
    return std::unexpected(map.error_at("name", "must have 1 to 256 characters"));
  TRY(rule.enabled, map.flag_or("enabled", true));
  TRY(const std::string type, map.text_or("type", "Lifecycle"));
  if (type != "Lifecycle") return std::unexpected(map.error_at("type", "must be Lifecycle"));
  TRY(YamlMap definition, map.map("definition"));
  TRY(YamlMap filters, definition.map("filters"));
  TRY_VOID(parse_filters(filters, rule));
  TRY(YamlMap actions, definition.map("actions"));
  TRY(rule.base, actions_of(actions, "baseBlob", Part::base));
  TRY(rule.snapshot, actions_of(actions, "snapshot", Part::snapshot));
  TRY(rule.version, actions_of(actions, "version", Part::version));
  TRY_VOID(actions.finish());
  TRY_VOID(definition.finish());
  TRY_VOID(map.finish());
  bool any = false, tiers = false;
  for (const LifecycleActions* of : {&rule.base, &rule.snapshot, &rule.version}) {
    tiers = tiers || of->cool.wanted() || of->cold.wanted() || of->archive.wanted();
    any = any || tiers || of->remove.wanted();
  }
  if (!any) return std::unexpected(map.error_at("definition", "wants no action"));
  if (tiers &&
      std::find(rule.types.begin(), rule.types.end(), BlobType::append) != rule.types.end())
    return std::unexpected(map.error_at("definition", "append blobs have no tier; only delete"));
  return rule;
}

bool exceeded(const LifecycleAge& age, const Info& info, WallTime created, WallTime now) {
  const auto older = [now](const std::optional<double>& days, WallTime than) {
    return !days || std::chrono::duration<double, std::ratio<86'400>>(now - than).count() > *days;
  };
  return age.wanted() && older(age.modified, info.modified) && older(age.created, created);
}

bool matches(const LifecycleRule& rule, const std::string& path, const Info& info) {
  if (!rule.enabled) return false;
  if (std::find(rule.types.begin(), rule.types.end(), info.type) == rule.types.end()) return false;
  const auto begins = [&](const std::string& prefix) { return path.starts_with(prefix); };
  if (!rule.prefixes.empty() && std::none_of(rule.prefixes.begin(), rule.prefixes.end(), begins))
    return false;
  return std::all_of(rule.tags.begin(), rule.tags.end(), [&](const auto& tag) {
    return std::find(info.tags.begin(), info.tags.end(), tag) != info.tags.end();
  });
}

int rank_of(std::string_view tier) {
  return tier == "Archive" ? 3 : tier == "Cold" ? 2 : tier == "Cool" ? 1 : 0;
}

}  // namespace

std::string_view to_string(LifecycleAction action) {
  return action == LifecycleAction::cool      ? "tierToCool"
         : action == LifecycleAction::cold    ? "tierToCold"
         : action == LifecycleAction::archive ? "tierToArchive"
                                              : "delete";
}

Result<LifecycleRules> parse_lifecycle(YamlMap& map) {
  LifecycleRules rules;
  TRY(auto items, map.maps("rules"));
  if (items.size() > kRules)
    return std::unexpected(map.error_at("rules", "holds at most 100 rules"));
  for (YamlMap& item : items) {
    TRY(LifecycleRule rule, parse_rule(item));
    for (const LifecycleRule& other : rules) {
      if (other.name == rule.name)
        return std::unexpected(item.error_at("name", "'" + rule.name + "' is there twice"));
    }
    rules.push_back(std::move(rule));
  }
  TRY_VOID(map.finish());
  return rules;
}

std::optional<LifecycleStep> lifecycle_step(const LifecycleRules& rules,
                                            const std::string& container, const Info& info,
                                            WallTime now) {
  if (info.immutability.protects(now) || info.deleted != WallTime()) return std::nullopt;
  const std::string path = container + "/" + info.name;
  std::optional<LifecycleStep> best;
  for (const LifecycleRule& rule : rules) {
    if (!matches(rule, path, info)) continue;
    const bool snapshot = info.snapshot != WallTime(), version = !snapshot && !info.current;
    const LifecycleActions& actions = snapshot ? rule.snapshot : version ? rule.version : rule.base;
    const WallTime created = snapshot ? info.snapshot : version ? info.version : info.created;
    const auto take = [&](const LifecycleAge& age, LifecycleAction action) {
      if (!exceeded(age, info, created, now) || (best && best->action >= action)) return;
      if (action != LifecycleAction::remove &&
          (info.type != BlobType::block || rank_of(info.tier) > static_cast<int>(action)))
        return;
      best.emplace();
      best->action = action;
      best->rule = rule.name;
    };
    take(actions.cool, LifecycleAction::cool);
    take(actions.cold, LifecycleAction::cold);
    take(actions.archive, LifecycleAction::archive);
    take(actions.remove, LifecycleAction::remove);
  }
  if (best) {
    best->container = container;
    best->of = info;
  }
  return best;
}

std::vector<std::string> lifecycle_prefixes(const LifecycleRules& rules,
                                            const std::string& container) {
  std::vector<std::string> out;
  const std::string path = container + "/";
  for (const LifecycleRule& rule : rules) {
    if (!rule.enabled) continue;
    if (rule.prefixes.empty()) return {""};
    for (const std::string& prefix : rule.prefixes) {
      if (path.starts_with(prefix)) return {""};
      if (prefix.starts_with(path)) out.push_back(prefix.substr(path.size()));
    }
  }
  // What lies under another one is walked with it.
  std::sort(out.begin(), out.end());
  std::vector<std::string> apart;
  for (std::string& prefix : out) {
    if (apart.empty() || !prefix.starts_with(apart.back())) apart.push_back(std::move(prefix));
  }
  return apart;
}

}  // namespace holdfast::blob
