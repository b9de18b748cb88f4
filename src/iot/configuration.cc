// Twins::apply_configuration: a deployment as IoT Hub's applyConfigurationContent takes it.
#include <algorithm>

#include "iot/documents.h"
#include "iot/rows.h"
#include "iot/twins.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;
using store::Tx;

std::unexpected<Error> wrong(std::string text) {
  return fail(Code::invalid_argument, std::move(text));
}

// The "properties.desired" of one module's content.
Result<json::object> desired_of(const json::value& content, const std::string& path) {
  const auto* object = content.if_object();
  if (object == nullptr) return wrong(path + " must be a JSON object");
  for (const auto& [name, value] : *object) {
    if (name != "properties.desired")
      return wrong(path + ": '" + std::string(name) + "' is not understood; properties.desired is");
  }
  const auto* desired = object->if_contains("properties.desired");
  if (desired == nullptr) return json::object();
  TRY(json::object out, as_section(*desired, path + ".properties.desired"));
  TRY_VOID(check_section(out, path + ".properties.desired"));
  return out;
}

struct Plan {
  std::vector<std::pair<Address, json::object>> desired;
  std::vector<std::string> modules;  // that must have identities
  bool for_edge = false;
};

// Modules that $edgeAgent is to run need identities; a model is not a client of the hub.
void add_deployed(const json::object& agent, std::vector<std::string>& modules) {
  const auto* deployed = agent.if_contains("modules");
  if (deployed == nullptr || !deployed->is_object()) return;
  for (const auto& [name, module] : deployed->as_object()) {
    const auto* object = module.if_object();
    const auto* type = object != nullptr ? object->if_contains("type") : nullptr;
    if (type != nullptr && type->is_string() && type->as_string() == "model") continue;
    modules.emplace_back(name);
  }
}

Result<Plan> plan_of(const std::string& device, const json::object& content) {
  Plan plan;
  for (const auto& [name, value] : content) {
    if (value.is_null()) continue;
    if (name == "deviceContent") {
      TRY(json::object desired, desired_of(value, "deviceContent"));
      plan.desired.emplace_back(Address{device, ""}, std::move(desired));
    } else if (name == "modulesContent") {
      if (!value.is_object()) return wrong("modulesContent must be a JSON object");
      plan.for_edge = true;
      for (const auto& [module, its_content] : value.as_object()) {
        const std::string id(module);
        TRY_VOID(device_wire::check_id(id, "module"));
        TRY(json::object desired, desired_of(its_content, "modulesContent." + id));
        plan.modules.push_back(id);
        if (id == kEdgeAgent) add_deployed(desired, plan.modules);
        plan.desired.emplace_back(Address{device, id}, std::move(desired));
      }
    } else {
      return wrong("'" + std::string(name) +
                   "' is not understood; modulesContent and deviceContent are");
    }
  }
  if (plan.desired.empty()) return wrong("the configuration has no content");
  std::ranges::sort(plan.modules);
  plan.modules.erase(std::ranges::unique(plan.modules).begin(), plan.modules.end());
  return plan;
}

}  // namespace

Task<Result<void>> Twins::apply_configuration(std::string device, json::object content) {
  CO_TRY(const auto identity, devices_.find({device, ""}));
  CO_TRY(const Plan plan, plan_of(device, content));
  if (plan.for_edge && !identity->edge)
    co_return wrong("the device '" + device + "' is no edge device; modulesContent needs one");
  struct Outcome {
    Devices::Changes modules;
    std::vector<Changed> changes;
  };
  const WallTime now = clock_.now();
  auto work = [this, device, plan, now](Tx& tx) -> Result<Outcome> {
    Outcome out;
    if (plan.for_edge) {
      TRY(out.modules, devices_.level_modules(tx, device, plan.modules));
    }
    for (const auto& [address, desired] : plan.desired) {
      TRY(Twin twin, read_twin(tx, address));
      note(twin);
      json::object patch = iot::replace(twin.desired, desired, now, true);
      TRY_VOID(
          check_size(twin.desired.values, kSectionLimit, address.text() + " properties.desired"));
      twin.etag = new_etag();
      ++twin.version;
      TRY_VOID(write_twin(tx, twin));
      out.changes.push_back({address, twin.desired.version, std::move(patch)});
    }
    return out;
  };
  std::vector<Address> addresses;
  addresses.reserve(plan.desired.size());
  for (const auto& [address, desired] : plan.desired) addresses.push_back(address);
  begin(addresses);
  auto written = co_await database_.write(std::move(work));
  if (!written) {
    end(addresses, {});
    co_return std::unexpected(written.error());
  }
  devices_.settle(written->modules);
  end(addresses, std::move(written->changes));
  co_return Result<void>();
}

}  // namespace holdfast::iot
