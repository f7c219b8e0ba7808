// A module that lives outside the repository: a copy of this folder is built by tests/extra_module/run.sh.
#include "hello_outside/messages.hpp"

#include "api/module.hpp"

namespace hello_outside {

class HelloModule final : public gs::Module {
public:
    explicit HelloModule(gs::ModuleContext& context) { context.on(&HelloModule::hello, this); }

private:
    Hello hello(gs::Player& /*player*/, const Hello& message) { return {"hello " + message.name}; }
};

}  // namespace hello_outside

GS_MODULE(hello_outside, hello_outside::HelloModule)
