#include "modules/echo/messages.hpp"

#include "api/module.hpp"

namespace echo {

class EchoModule final : public gs::Module {
public:
    explicit EchoModule(gs::ModuleContext& context) { context.on(&EchoModule::echo, this); }

private:
    Echo echo(gs::Player& /*player*/, const Echo& message) { return message; }
};

}  // namespace echo

GS_MODULE(echo, echo::EchoModule)
