"""Programs of every language, by the real runtimes: they run, speak over their channel, end as they are told, and lose no line."""
import json
import os
import shutil
import sys
from pathlib import Path

from harness import Home, check, read_log, run_tests, wait_for
from node_cache import node
from npm_cache import BUN, DENO, from_npm

TYPESCRIPT = """
interface Wanted { name: string }
const wanted: Wanted = { name: String(process.env.name) };
console.log(`typed ${wanted.name} ${typeof (globalThis as any).Bun} ${typeof (globalThis as any).Deno}`);
setInterval(() => {}, 1000);
"""

CHANNEL_APP = """
process.on('message', (message) => {
  if (message === 'shutdown') { console.log('told to end'); process.exit(0); }
});
setTimeout(() => process.send('ready'), 50);
setInterval(() => {}, 1000);
"""

ACTION_APP = """
process.send({type: 'axm:action', data: {action_name: 'double', arity: 1}});
process.on('message', (message) => {
  if (message.msg === 'double')
    process.send({type: 'axm:reply', data: {return: message.opts * 2, action_name: 'double'}});
});
process.send('ready');
setInterval(() => {}, 1000);
"""

# Prints numbered lines to both outputs and dies in the middle of them, as programs do that crash.
CRASH_APP = {
    "js": "for (let i = 0; i < 500; i++) { console.log('line ' + i); console.error('error ' + i); }\nprocess.abort();\n",
    "py": "import os, sys\nfor i in range(500):\n    print('line', i)\n    print('error', i, file=sys.stderr)\nos.abort()\n",
    "sh": "for ((i = 0; i < 500; i++)); do echo line $i; echo error $i >&2; done\nkill -ABRT $$\n",
}


def write(home: Home, name: str, text: str) -> Path:
    path = home.work / name
    path.write_text(text)
    return path


def with_path(*programs: Path) -> dict:
    """The tests' PATH has what the system has; these come first."""
    return {"PATH": ":".join([*(str(program.parent) for program in programs), os.environ["PATH"]])}


def only_path(home: Home, *programs: Path) -> dict:
    """A PATH with the system's shell and these, and no other runtime."""
    place = home.work / "only"
    place.mkdir(exist_ok=True)
    for program in (Path("/bin/sh"), Path("/bin/bash"), *programs):
        (place / program.name).unlink(missing_ok=True)
        (place / program.name).symlink_to(program)
    return {"PATH": str(place)}


def out(home: Home, name: str) -> str:
    return read_log(home.logs / f"{name}-out.log").decode()


def prints(home: Home, name: str, text: str) -> None:
    wait_for(f"{name} prints {text!r}", lambda: text in out(home, name))


def test_typescript_is_run_by_bun_node_and_deno():
    runtimes = {"bun": (from_npm(BUN), "typed bun object undefined"),
                "node24": (node(24), "typed node24 undefined undefined"),
                "node22": (node(22), "typed node22 undefined undefined"),
                "deno": (from_npm(DENO), "typed deno undefined object")}
    for name, (program, wanted) in runtimes.items():
        with Home() as home:
            write(home, "app.ts", TYPESCRIPT.replace("process", "(await import('node:process')).default") if name == "deno"
                  else TYPESCRIPT)
            home.run("start", "app.ts", "--name", name, env=only_path(home, program))
            prints(home, name, wanted)
            check(home.app(name)["pm2_env"]["exec_interpreter"] in ("bun", "node", "deno"), f"{home.app(name)['pm2_env']}")


def test_a_script_of_bun_by_its_name_its_first_line_and_a_shell_line():
    bun = from_npm(BUN)
    with Home() as home:
        env = with_path(bun)
        write(home, "app.js", "console.log('by', typeof Bun); setInterval(() => {}, 1000);\n")
        write(home, "first", "#!/usr/bin/env bun\nconsole.log('by', typeof Bun); setInterval(() => {}, 1000);\n").chmod(0o755)
        home.run("start", "app.js", "--name", "named", "--interpreter", "bun", env=env)
        home.run("start", "./first", env=env)
        home.run("start", "bun app.js", "--name", "line", env=env)
        home.run("start", "bun", "--name", "program", "--", "run", "app.js", env=env)
        for name in ("named", "first", "line", "program"):
            prints(home, name, "by object")


def test_ready_and_shutdown_are_spoken_with_bun_as_with_node():
    for name, program in (("bun", from_npm(BUN)), ("node", node(20))):
        with Home() as home:
            write(home, "app.js", CHANNEL_APP)
            home.run("start", "app.js", "--name", name, "--interpreter", program, "--wait-ready", "--listen-timeout", 60000,
                     "--shutdown-with-message", "--kill-timeout", 60000)
            check(home.status(name) == "online", f"{name}: {home.status(name)}")
            home.run("stop", name)
            check("told to end" in out(home, name), f"{name} was not told")
            check(home.app(name)["pm2_env"]["exit_code"] == 0, f"{name}: {home.app(name)['pm2_env']['exit_code']}")


def test_an_action_of_an_app_that_bun_runs_is_triggered():
    with Home() as home:
        write(home, "app.js", ACTION_APP)
        home.run("start", "app.js", "--interpreter", from_npm(BUN), "--wait-ready", "--listen-timeout", 60000)
        done = home.run("trigger", "app", "double", "21")
        check("42" in done.stdout, done.stdout)


def test_bun_and_deno_evaluate_config_files_where_there_is_no_node():
    for program in (from_npm(BUN), from_npm(DENO)):
        with Home() as home:
            write(home, "app.sh", "echo $FROM; exec sleep 1000\n")
            write(home, "ecosystem.config.js", "const { basename } = require('path');\nconst from = [1, 2].map((n) => n * 2).join('-') + basename('/x/y');\n"
                  "module.exports = { apps: [{ name: 'a', script: 'app.sh', env: { FROM: from } }] };\n")
            write(home, "other.config.mjs", "export default { apps: [{ name: 'b', script: 'app.sh', env: { FROM: 'module' } }] };\n")
            sleep = Path(shutil.which("sleep"))
            home.run("start", "ecosystem.config.js", env=only_path(home, program, sleep))
            home.run("start", "other.config.mjs", env=only_path(home, program, sleep))
            prints(home, "a", "2-4y")
            prints(home, "b", "module")


def test_the_last_lines_of_a_crash_are_there_in_every_language():
    programs = {"node": ("js", node(20)), "bun": ("js", from_npm(BUN)), "python": ("py", Path(sys.executable)),
                "bash": ("sh", Path("/bin/bash"))}
    with Home() as home:
        for name, (ending, program) in programs.items():
            write(home, f"{name}.{ending}", CRASH_APP[ending])
            home.run("start", f"{name}.{ending}", "--interpreter", program, "--no-autorestart")
        for name in programs:
            wait_for(f"{name} has ended", lambda name=name: home.status(name) in ("stopped", "errored") and
                     home.app(name)["pmx"]["open_runs"] == 0)
            lines = out(home, name).splitlines()
            check(lines == [f"line {i}" for i in range(500)], f"{name}: {len(lines)} lines")
            errors = read_log(home.logs / f"{name}-error.log").decode().splitlines()
            check([line for line in errors if line.startswith("error ")] == [f"error {i}" for i in range(500)],
                  f"{name}: {len(errors)} errors")
            check(home.app(name)["pm2_env"]["exit_signal"] == "SIGABRT", f"{name}: {json.dumps(home.app(name)['pm2_env']['exit_signal'])}")


if __name__ == "__main__":
    run_tests()
