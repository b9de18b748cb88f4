#include "net/mqtt/client.h"

#include "net/mqtt/net_client.h"

namespace holdfast::mqtt {
namespace {

using namespace std::chrono_literals;

Error stopped() {
  return Error(Code::cancelled, "the MQTT client stops");
}

class NetClient final : public Client {
 public:
  NetClient(Executor executor, ClientOptions options)
      : state_(std::make_shared<ClientState>(std::move(executor), std::move(options))) {}

  void start() override {
    state_->on_executor([](ClientState& state) {
      if (std::exchange(state.started, true) || state.stopping) return;
      state.group.spawn(state.executor, "mqtt client", state.run());
      state.group.spawn(state.executor, "mqtt client watch", state.watch());
    });
  }
  bool connected() const override { return state_->is_connected; }
  Task<Result<void>> wait_connected(std::chrono::milliseconds limit) override {
    return state_->call(of(Call::connected), limit);
  }
  Task<Result<void>> publish(Publish message, std::chrono::milliseconds limit) override {
    if (!valid_topic(message.topic))
      co_return fail(Code::invalid_argument, "'" + message.topic + "' is not a topic name");
    if (message.payload.size() > state_->options.max_payload)
      co_return fail(Code::too_large, "the message is larger than the limit");
    auto call = of(Call::publish);
    call->message = std::move(message);
    call->message.id = 0;
    co_return co_await state_->call(std::move(call), limit);
  }
  Task<Result<void>> subscribe(Subscription wanted, std::chrono::milliseconds limit) override {
    if (!valid_filter(wanted.filter))
      co_return fail(Code::invalid_argument, "'" + wanted.filter + "' is not a topic filter");
    auto call = of(Call::subscribe);
    call->wanted = std::move(wanted);
    co_return co_await state_->call(std::move(call), limit);
  }
  Task<Result<void>> unsubscribe(std::string filter, std::chrono::milliseconds limit) override {
    if (!valid_filter(filter))
      co_return fail(Code::invalid_argument, "'" + filter + "' is not a topic filter");
    auto call = of(Call::unsubscribe);
    call->wanted.filter = std::move(filter);
    co_return co_await state_->call(std::move(call), limit);
  }
  void reconnect() override {
    state_->on_executor([](ClientState& state) {
      state.pause.cancel();
      state.abort(Error(Code::unavailable, "renew", "told to connect again"));
    });
  }
  Task<void> stop() override {
    state_->on_executor([](ClientState& state) {
      state.stopping = true;
      state.pause.cancel();
      if (state.is_connected) {
        state.closing = true;
        state.deadline = std::chrono::steady_clock::now() + 1s;
        state.write(encode(Disconnect{}));
      } else {
        state.abort(stopped());
      }
      for (const auto& call : std::exchange(state.calls, {}))
        state.finish(call, std::unexpected(stopped()));
      state.tick.cancel();
    });
    // What on_message is at may take a moment; after it, all is cancelled.
    for (int i = 0; i < 600 && state_->group.size() > 0; ++i) co_await sleep_for(5ms);
    state_->group.cancel();
    co_await state_->group.join();
  }

 private:
  static std::shared_ptr<Call> of(Call::Kind kind) {
    auto call = std::make_shared<Call>();
    call->kind = kind;
    return call;
  }
  const std::shared_ptr<ClientState> state_;
};

}  // namespace

std::unique_ptr<Client> make_client(Executor executor, ClientOptions options) {
  return std::make_unique<NetClient>(std::move(executor), std::move(options));
}

}  // namespace holdfast::mqtt
