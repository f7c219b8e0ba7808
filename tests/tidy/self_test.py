#!/usr/bin/env python3
"""Plants mistakes in a small tree and expects the checks of this folder to find each of them, and nothing else."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# check, file, content, what the output must name ("" = the check must pass)
CASES = [
    ("includes", "src/base/a.hpp", '#include "base/b.hpp"\n#include <vector>\n#include <spdlog/spdlog.h>\n', ""),
    ("includes", "src/base/a.hpp", '#include "wire/frame.hpp"\n', "src/base/a.hpp:1:"),
    ("includes", "src/wire/a.cpp", '#include <string>\n#  include "runtime/loop.hpp"\n', "src/wire/a.cpp:2:"),
    ("includes", "src/cluster/a.cpp", '#include "http/client.hpp"\n#include "storage/engine.hpp"\n', ""),
    ("includes", "src/cluster/a.cpp", '#include "api/module.hpp"\n', "src/cluster/a.cpp:1:"),
    ("includes", "src/entity/a.cpp", '#include "modules/chat/messages.hpp"\n', "roles and modules stand above"),
    ("includes", "src/runtime/a.cpp", "#include <asio.hpp>\n", "may be included only in src/client"),
    ("includes", "src/client/a.cpp", "#include <asio.hpp>\n", ""),
    ("includes", "src/storage/pool.cpp", "#include <sqlite3.h>\n", "src/storage/sqlite"),
    ("includes", "src/storage/sqlite/engine.cpp", "#include <sqlite3.h>\n", ""),
    ("includes", "src/app/main_test.cpp", "#include <catch2/catch.hpp>\n", ""),
    ("includes", "src/app/a.cpp", "#include <catch2/catch.hpp>\n", "may be included only in tests"),
    ("includes", "modules/chat/chat_sim.cpp", '#include "tests/sim/bot.hpp"\n', ""),
    ("includes", "modules/chat/chat.cpp", '#include "tests/sim/bot.hpp"\n', "modules/chat may not include"),
    ("includes", "src/app/config/toml.cpp", "#include <toml++/toml.h>\n", ""),
    ("includes", "src/app/node.cpp", "#include <toml++/toml.h>\n", "src/app/config"),
    ("includes", "modules/chat/chat.cpp", '#include "api/module.hpp"\n#include "roles/game/messages.hpp"\n', ""),
    ("includes", "modules/chat/chat.cpp", '#include "modules/chat/history.hpp"\n#include <string>\n', ""),
    ("includes", "modules/chat/chat.cpp", '#include "roles/game/game.hpp"\n', "modules/chat/chat.cpp:1:"),
    ("includes", "modules/chat/chat.cpp", '#include "storage/engine.hpp"\n', "modules/chat may not include"),
    ("includes", "roles/game/game.cpp", "#include <curl/curl.h>\n", "roles/game/game.cpp:1:"),
    ("includes", "roles/game/game.cpp", "#include <fmt/format.h>\n", "standard library and api/ headers only"),
    ("features", "docs/features.md", "| NET-01 | TCP | [NET-01] |\n", ""),
    ("features", "docs/features.md", "| NET-02 | framing | [NET-02] |\n", "no test has the tag [NET-02]"),
    ("features", "docs/features.md", "| NET-02 | framing | surely |\n", "names no test tag and no command"),
    ("features", "docs/features.md", "| NET-08 | many | `./dev bench` |\n", ""),
    ("features", "docs/features.md", "| NET-08 | many | `tests/bench/none.py` |\n", "there is no file tests/bench/none.py"),
    ("features", "docs/features.md", "| NET-08 | many | not yet |\n| NET-01 | TCP | [NET-01] |\n", ""),
    ("features", "docs/features.md", "nothing here\n", "no row"),
    ("docs", "docs/a.md", '```cpp src/base/net_test.cpp\nTEST_CASE("tcp", "[NET-01]") {}\n```\n', ""),
    ("docs", "docs/a.md", '```cpp src/base/net_test.cpp\nTEST_CASE("udp", "[NET-01]") {}\n```\n', "docs/a.md:1: this is not the content"),
    ("docs", "docs/a.md", '\n```cpp src/base/net_test.cpp part\n  TEST_CASE("tcp", "[NET-01]") {}\n```\n', ""),
    ("docs", "docs/a.md", '\n```cpp src/base/net_test.cpp part\nsomething else\n```\n', "docs/a.md:2: these lines do not stand"),
    ("docs", "docs/a.md", "```cpp src/base/none.cpp\n```\n", "there is no file src/base/none.cpp"),
    ("docs", "docs/a.md", "[code](../src/base/net_test.cpp#x) [web](https://example.org/)\n", ""),
    ("docs", "docs/a.md", "[page](none.md)\n", "there is no file none.md"),
    ("awaited_calls", "roles/a/a.cpp", "void f() {\n  co_await (this->*handler)(std::move(x));\n}\n", "roles/a/a.cpp:2: co_await of a call"),
    ("awaited_calls", "src/base/a.hpp", "\nauto x = co_await (self.*function_)(1);\n", "src/base/a.hpp:2:"),
    ("awaited_calls", "modules/a/a.cpp", "/* one\ntwo */ co_return co_await\n    ((*this).*answers_[place()])(a, b);\n", "modules/a/a.cpp:2:"),
    ("awaited_calls", "tests/a_test.cpp", "co_await keep((self->*make)(1), &into);\n", "tests/a_test.cpp:1:"),
    ("awaited_calls", "roles/a/a.cpp", "co_await call(handler, x);\nreturn (this->*handler)(std::move(x));\n", ""),
    ("awaited_calls", "roles/a/a.cpp", "// co_await (x->*f)(1)\nco_await match(\"a.*b\", 'x', at->first * 2, *x.y, a.b * c);\n", ""),
    ("paths", "docs/a.md", "See /usr/share/doc and /etc/gameserver.\n", ""),
    ("paths", "docs/a.md", "See /ho" + "me/ann/notes.\n", "docs/a.md:1:"),
]


def main():
    wrong = 0
    for check, path, content, expected in CASES:
        with tempfile.TemporaryDirectory() as folder:
            test = pathlib.Path(folder, "src/base/net_test.cpp")
            for file, text in ((test, 'TEST_CASE("tcp", "[NET-01]") {}\n'), (pathlib.Path(folder, path), content)):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            run = subprocess.run([sys.executable, HERE / f"{check}.py", folder], capture_output=True, text=True, check=False)
        good = run.returncode == 0 if not expected else run.returncode == 1 and expected in run.stdout
        if not good:
            wrong += 1
            print(f"{check}: {path}: {content!r}\n  expected {expected or 'no complaint'!r}, got {run.returncode}:")
            print(f"  {run.stdout}{run.stderr}")
    print(f"{len(CASES)} cases, {wrong} wrong")
    return 1 if wrong else 0


sys.exit(main())
