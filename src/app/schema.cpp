#include "app/schema.hpp"

#include <algorithm>
#include <map>

#include "base/json_tree.hpp"

#include "runtime/virtual_loop.hpp"
#include "wire/system.hpp"

namespace gs::app {

namespace {

using Json = nlohmann::ordered_json;
using Kind = TypeDescription::Kind;

struct RequestSchema {
    std::string_view name;
    const TypeDescription* type;
    const TypeDescription* reply;
};
struct ModuleSchema {
    std::string_view name;
    std::map<Command, RequestSchema> requests;
    std::map<Command, PushType> pushes;
    std::vector<const TypeDescription*> structures;  ///< each after those that it holds, unless it holds itself
};

void collect_structures(const TypeDescription& type, ModuleSchema& module, std::vector<const TypeDescription*>& seen) {
    if (type.key != nullptr) collect_structures(*type.key, module, seen);
    if (type.element != nullptr) collect_structures(*type.element, module, seen);
    if (type.kind != Kind::structure || std::find(seen.begin(), seen.end(), &type) != seen.end()) return;
    for (const auto* other : seen) {
        if (other->name == type.name) {
            throw Error{Code::conflict, "two structures in the messages of module {} are named {}; rename one of them",
                        module.name, type.name};
        }
    }
    seen.push_back(&type);
    for (const auto& field : type.fields) collect_structures(*field.type, module, seen);
    module.structures.push_back(&type);
}

/// Hears what a module registers, and runs nothing.
class Listener final : public ModuleHost {
public:
    explicit Listener(const ModuleInfo& info) {
        schema_.name = info.name;
        ModuleContext context{*this, std::string{info.name}};
        const auto module = info.make(context);
        std::vector<const TypeDescription*> seen;
        for (const auto& [number, request] : schema_.requests) {
            collect_structures(*request.type, schema_, seen);
            collect_structures(*request.reply, schema_, seen);
        }
        for (const auto& [number, push] : schema_.pushes) collect_structures(*push.type, schema_, seen);
    }
    [[nodiscard]] const ModuleSchema& schema() const { return schema_; }

private:
    void add_command(std::unique_ptr<CommandHandler> handler) override {
        schema_.requests[handler->command] = {handler->name, &handler->request_type, &handler->reply_type};
    }
    void add_push(const PushType& push) override { schema_.pushes.emplace(push.command, push); }
    void add_part(std::unique_ptr<PartHandler> /*part*/) override {}
    void add_component(const entity::ComponentType& /*type*/) override {}
    void add_enter_hook(std::function<void(Player&)> /*hook*/) override {}
    void add_leave_hook(std::function<void(Player&)> /*hook*/) override {}
    Settings settings() override { return tree_.root(); }
    runtime::Loop& loop() override { return loop_; }
    Metrics& metrics() override { return metrics_; }
    // A constructor only registers (ModuleInfo); these are for handlers.
    [[noreturn]] static void refuse() { throw Error{Code::internal, "a module's constructor may only register"}; }
    void push_to(PlayerId /*player*/, BytesView /*message*/) override { refuse(); }
    void push_to_all(BytesView /*message*/) override { refuse(); }
    ChannelService& channels() override { refuse(); }
    SceneService& scenes() override { refuse(); }
    Task<storage::Record> read_record(std::string /*space*/, std::string /*key*/) override { refuse(); }
    Task<std::optional<std::string>> read_component(PlayerId /*player*/, std::string /*name*/) override { refuse(); }
    Player* find(PlayerId /*player*/) override { refuse(); }
    Task<Binary> together(PlayerId /*other*/, Command /*part*/, Binary /*body*/) override { refuse(); }

    runtime::VirtualTime time_;
    runtime::VirtualLoop loop_{time_, "schema"};
    Metrics metrics_;
    SettingsTree tree_;
    ModuleSchema schema_;
};

template <class Write>
Result<std::string> write_all(std::span<const ModuleInfo* const> modules, Write write) {
    try {
        std::vector<const ModuleInfo*> sorted{modules.begin(), modules.end()};
        std::sort(sorted.begin(), sorted.end(),
                  [](const auto* one, const auto* other) { return one->name < other->name; });
        std::vector<std::unique_ptr<Listener>> listeners;
        for (const auto* module : sorted) listeners.push_back(std::make_unique<Listener>(*module));
        return write(listeners);
    } catch (const Error& error) {
        return error;
    }
}
using Listeners = std::vector<std::unique_ptr<Listener>>;

// --- types and values ------------------------------------------------------------------------------------------------

/// u8 to i64.
std::string integer_name(const TypeDescription& type) {
    unsigned bits = 8;
    while (bits < 64 && (type.most >> (type.least < 0 ? bits - 1 : bits)) != 0) bits *= 2;
    return fmt::format("{}{}", type.least < 0 ? 'i' : 'u', bits);
}
/// JavaScript's numbers hold 53 bits.
bool is_long(const TypeDescription& type) { return type.kind == Kind::integer && type.most > 0xffff'ffffU; }

Json default_of(const TypeDescription& structure, std::size_t field) {
    Buffer bytes;
    msgpack::Writer writer{bytes};
    structure.write_default(field, writer);
    return Json::parse(to_json(*structure.fields[field].type, bytes.view()).value());
}

/// What a reader assumes of a type where nothing else is said.
Json zero_of(const TypeDescription& type) {
    switch (type.kind) {
        case Kind::boolean:
            return false;
        case Kind::integer:
        case Kind::real:
            return 0;
        case Kind::text:
        case Kind::binary:
            return "";
        case Kind::optional:
            return nullptr;
        case Kind::list:
            return Json::array();
        case Kind::map:
            return Json::object();
        case Kind::structure:
            break;
    }
    auto value = Json::object();
    for (std::size_t field = 0; field < type.fields.size(); ++field)
        value[std::string{type.fields[field].name}] = default_of(type, field);
    return value;
}

// --- JSON ------------------------------------------------------------------------------------------------------------

Json json_of(const TypeDescription& type) {
    switch (type.kind) {
        case Kind::boolean:
            return {{"kind", "boolean"}};
        case Kind::integer:  // limits as text: 64 bits are more than the numbers of many JSON readers hold
            return {{"kind", integer_name(type)},
                    {"least", fmt::format("{}", type.least)},
                    {"most", fmt::format("{}", type.most)}};
        case Kind::real:
            return {{"kind", type.single ? "f32" : "f64"}};
        case Kind::text:
            return {{"kind", "text"}};
        case Kind::binary:
            return {{"kind", "binary"}};
        case Kind::optional:
            return {{"kind", "optional"}, {"element", json_of(*type.element)}};
        case Kind::list:
            return {{"kind", "list"}, {"element", json_of(*type.element)}};
        case Kind::map:
            return {{"kind", "map"}, {"key", json_of(*type.key)}, {"element", json_of(*type.element)}};
        case Kind::structure:
            return {{"kind", "structure"}, {"name", type.name}};
    }
    return {};
}

Json json_of_structure(const TypeDescription& type) {
    auto fields = Json::array();
    for (std::size_t index = 0; index < type.fields.size(); ++index) {
        const auto& field = type.fields[index];
        fields.push_back({{"name", field.name}, {"type", json_of(*field.type)}, {"default", default_of(type, index)}});
    }
    return {{"name", type.name}, {"fields", std::move(fields)}};
}

Json json_of_module(const ModuleSchema& module) {
    auto requests = Json::array(), pushes = Json::array(), structures = Json::array();
    for (const auto& [number, request] : module.requests) {
        requests.push_back({{"command", number},
                            {"name", fmt::format("{}.{}", module.name, request.name)},
                            {"type", request.type->name},
                            {"reply", request.reply->name}});
    }
    for (const auto& [number, push] : module.pushes) {
        pushes.push_back({{"command", number},
                          {"name", fmt::format("{}.{}", module.name, push.name)},
                          {"type", push.type->name},
                          {"state", push.state}});
    }
    for (const auto* structure : module.structures) structures.push_back(json_of_structure(*structure));
    return {{"name", module.name},
            {"requests", std::move(requests)},
            {"pushes", std::move(pushes)},
            {"structures", std::move(structures)}};
}

// --- TypeScript ------------------------------------------------------------------------------------------------------

std::string type_of(const TypeDescription& type) {
    switch (type.kind) {
        case Kind::boolean:
            return "boolean";
        case Kind::integer:
            return is_long(type) ? "bigint" : "number";
        case Kind::real:
            return "number";
        case Kind::text:
            return "string";
        case Kind::binary:
            return "Uint8Array";
        case Kind::optional:
            return type_of(*type.element) + " | null";
        case Kind::list:
            return type.element->kind == Kind::optional ? fmt::format("({})[]", type_of(*type.element))
                                                        : type_of(*type.element) + "[]";
        case Kind::map:
            return fmt::format("Map<{}, {}>", type_of(*type.key), type_of(*type.element));
        case Kind::structure:
            break;
    }
    return std::string{type.name};
}

/// The expression that makes the kit's codec of a type.
std::string codec_of(const TypeDescription& type) {
    switch (type.kind) {
        case Kind::boolean:
            return "gs.boolean";
        case Kind::integer:
            return "gs." + integer_name(type);
        case Kind::real:
            return type.single ? "gs.f32" : "gs.f64";
        case Kind::text:
            return "gs.text";
        case Kind::binary:
            return "gs.binary";
        case Kind::optional:
            return fmt::format("gs.optional({})", codec_of(*type.element));
        case Kind::list:
            return fmt::format("gs.list({})", codec_of(*type.element));
        case Kind::map:
            return fmt::format("gs.map({}, {})", codec_of(*type.key), codec_of(*type.element));
        case Kind::structure:
            break;
    }
    return std::string{type.name};
}

std::vector<unsigned> bytes_of(const TypeDescription& binary, const Json& base64) {
    const auto encoded = from_json(binary, base64.dump()).value();
    const auto bytes = msgpack::Reader{encoded}.binary();
    return {bytes.begin(), bytes.end()};
}

std::string literal_of(const TypeDescription& type, const Json& value) {
    std::string parts;
    const auto add = [&parts](const std::string& part) { parts += (parts.empty() ? "" : ", ") + part; };
    switch (type.kind) {
        case Kind::integer:
            return value.dump() + (is_long(type) ? "n" : "");
        case Kind::real:
            return value.is_null() ? "NaN" : value.dump();
        case Kind::optional:
            return value.is_null() ? "null" : literal_of(*type.element, value);
        case Kind::binary:
            return fmt::format("Uint8Array.of({})", fmt::join(bytes_of(type, value), ", "));
        case Kind::list:
            for (const auto& element : value) add(literal_of(*type.element, element));
            return fmt::format("[{}]", parts);
        case Kind::map:
            for (const auto& [key, element] : value.items()) {
                const auto key_value = type.key->kind == Kind::text ? Json(key) : Json::parse(key);
                add(fmt::format("[{}, {}]", literal_of(*type.key, key_value), literal_of(*type.element, element)));
            }
            return fmt::format("new Map([{}])", parts);
        case Kind::structure:
            for (const auto& field : type.fields) {
                const auto name = std::string{field.name};
                add(fmt::format("{}: {}", name, literal_of(*field.type, value.at(name))));
            }
            return fmt::format("{{ {} }}", parts);
        case Kind::boolean:
        case Kind::text:
            break;
    }
    return value.dump();
}

std::string codecs_of_fields(const TypeDescription& structure) {
    std::string text;
    for (std::size_t index = 0; index < structure.fields.size(); ++index) {
        const auto& [name, type] = structure.fields[index];
        const auto value = default_of(structure, index);
        text += fmt::format("        [\"{}\", {}", name, codec_of(*type));
        if (value != zero_of(*type)) text += fmt::format(", () => ({})", literal_of(*type, value));
        text += "],\n";
    }
    return text.empty() ? "[]" : "[\n" + text + "    ]";
}

std::string typescript_of_module(const ModuleSchema& module) {
    auto text = fmt::format("\nexport namespace {} {{\n", module.name);
    for (const auto* structure : module.structures) {
        text += fmt::format("    export interface {} {{\n", structure->name);
        for (const auto& field : structure->fields)
            text += fmt::format("        {}: {};\n", field.name, type_of(*field.type));
        text += "    }\n";
    }
    std::map<const TypeDescription*, std::string> messages;
    for (const auto& [number, request] : module.requests) {
        messages[request.type] =
            fmt::format("    export const {0}: gs.Request<{0}, {1}> = gs.request({2}, \"{3}.{0}\", () => {1}, () => ",
                        request.type->name, request.reply->name, number, module.name);
    }
    for (const auto& [number, push] : module.pushes) {
        messages[push.type] = fmt::format("    export const {0}: gs.Push<{0}> = gs.push({1}, \"{2}.{0}\", () => ",
                                          push.type->name, number, module.name);
    }
    for (const auto* structure : module.structures) {
        const auto message = messages.find(structure);
        text += message != messages.end()
                    ? message->second
                    : fmt::format("    export const {0}: gs.Struct<{0}> = gs.struct(\"{1}.{0}\", () => ",
                                  structure->name, module.name);
        text += codecs_of_fields(*structure) + ");\n";
    }
    return text + "}\n";
}

}  // namespace

Result<std::string> schema_json(std::span<const ModuleInfo* const> modules) {
    return write_all(modules, [](const Listeners& listeners) {
        auto errors = Json::array(), list = Json::array();
        for (unsigned number = 1; to_string(static_cast<Code>(number)) != "unknown"; ++number)
            errors.push_back({{"number", number}, {"name", to_string(static_cast<Code>(number))}});
        for (const auto& listener : listeners) list.push_back(json_of_module(listener->schema()));
        const Json schema{
            {"protocol", wire::protocol_version}, {"errors", std::move(errors)}, {"modules", std::move(list)}};
        return schema.dump(2) + "\n";
    });
}

Result<std::string> schema_typescript(std::span<const ModuleInfo* const> modules) {
    return write_all(modules, [](const Listeners& listeners) {
        std::string text =
            "// Generated by `gameserver schema --format=typescript`: what the modules of this server speak. Do not "
            "edit.\n"
            "import * as gs from \"gameserver-client\";\n";
        for (const auto& listener : listeners) text += typescript_of_module(listener->schema());
        return text;
    });
}

}  // namespace gs::app
