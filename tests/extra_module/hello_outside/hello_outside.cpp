// A module that lives outside the repository: a copy of this folder is built by tests/extra_module/run.sh.
#include "hello_outside/messages.hpp"

#include "api/module.hpp"

namespace hello_outside {

struct Greetings {
    std::uint64_t count = 0;
    FIELDS(count)
};
GS_COMPONENT(Greetings, "greetings", Save::confirmed)

class HelloModule final : public gs::Module {
public:
    explicit HelloModule(gs::ModuleContext& context) {
        context.component<Greetings>();
        context.on(&HelloModule::hello, this);
    }

private:
    Greeting hello(gs::Player& player, const Hello& message) {
        return {"hello " + message.name, ++player.edit<Greetings>().count};
    }
};

}  // namespace hello_outside

GS_MODULE(hello_outside, hello_outside::HelloModule)
