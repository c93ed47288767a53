"""Ecosystem files in every form that PM2 takes, what is said of their mistakes, and the programs that scripts
of each language are run by."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

from harness import PMX, Home, check, run_tests, wait_for

SLEEPER = "setInterval(() => {}, 1000);\n"


def write(home: Home, name: str, text: str, mode: int = 0o644) -> Path:
    path = home.work / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def output(home: Home, name: str, seconds: float = 20) -> str:
    """What an app has printed, as soon as there is something."""
    path = home.logs / f"{name}-out.log"
    return wait_for(f"{name} prints something", lambda: path.exists() and path.read_text(), seconds)


def pm2_env(home: Home, name: str) -> dict:
    return home.app(name)["pm2_env"]


def test_every_form_of_a_file():
    forms = {
        "a.json": '{"apps": [{"name": "%s", "script": "app.js"}]}',
        "b.json": '// comments, bare keys\n{ apps: [{ name: "%s", script: "app" + ".js" }], }',
        "c.yaml": "base: &base\n  script: app.js\napps:\n  - <<: *base\n    name: %s\n",
        "d.yml": "- {name: %s, script: app.js}\n",
        "e.config.js": "module.exports = { apps: [{ name: '%s', script: 'app.js' }] };",
        "f.config.cjs": "module.exports = [{ name: '%s', exec: 'app.js' }];",
        "g.config.mjs": "export default { apps: [{ name: '%s', script: 'app.js' }] };",
        "h.config.mjs": "export const apps = [{ name: '%s', script: 'app.js' }];",
        "i.config.js": "module.exports = async () => ({ pm2: [{ name: '%s', script: 'app.js' }] });",
        "j.config.js": "module.exports = { name: '%s', script: 'app.js' };",
    }
    with Home() as home:
        write(home, "app.js", SLEEPER)
        for file, text in forms.items():
            name = "of-" + file[0]
            write(home, file, text % name)
            home.run("start", file)
            check(home.status(name) == "online", f"{file}: {home.status(name)}")
            home.run("delete", file)
        check(home.list() == [], "delete by file left something")


def test_a_file_on_the_standard_input():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        process = home.spawn("start", "-", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        process.communicate(b"{ apps: [{ name: 'piped', script: 'app.js' }] }", timeout=30)
        check(process.returncode == 0 and home.status("piped") == "online", "start -")


def test_javascript_finds_its_surroundings():
    with Home(env={"FROM_SHELL": "shell"}) as home:
        write(home, "etc/part.js", "module.exports = 'part';")
        write(home, "app.js", SLEEPER)
        write(home, "etc/e.config.js", """
            console.log('noise }'); console.error('more noise');
            process.on('exit', () => console.log('late noise'));
            setInterval(() => {}, 1000);  // As a connection that was opened.
            module.exports = { apps: [{ name: 'x', script: 'app.js', env: {
              PART: require('./part'), DIR: __dirname, CWD: process.cwd(), SHELL_VAR: process.env.FROM_SHELL,
              ARGV: process.argv.slice(2).join(' '),
              OURS: Object.keys(process.env).filter(k => /config/i.test(k) && !%s.includes(k)).join() } }] };
            """ % json.dumps(list(home.env)))
        done = home.run("start", "etc/e.config.js", "--only", "x")
        check("noise" not in done.stdout and "noise }\n" in done.stderr, f"{done.stdout!r} {done.stderr!r}")
        env = pm2_env(home, "x")["env"]
        wanted = {"PART": "part", "DIR": str(home.work / "etc"), "CWD": str(home.work), "SHELL_VAR": "shell",
                  "ARGV": "start etc/e.config.js --only x", "OURS": ""}
        check({key: env[key] for key in wanted} == wanted, f"{env}")


def test_a_file_that_does_not_end_is_stopped():
    with Home() as home:
        write(home, "e.config.js", "for (;;) {}")
        done = home.run("start", "e.config.js", ok=False)
        check("e.config.js malformated: it was not done after 10s and was stopped" in done.stderr, done.stderr)


def test_without_a_runtime_the_message_says_what_to_do():
    with Home() as home:
        write(home, "e.config.js", "module.exports = [];")
        write(home, "e.json", "{ apps: [] } // no strict JSON")
        without = {"PATH": "/nonexistent", "HOME": str(home.work), "NVM_DIR": ""}
        done = home.run("start", "e.config.js", ok=False, env=without)
        check("no node, bun or deno" in done.stderr and "JSON or YAML" in done.stderr, done.stderr)
        done = home.run("start", "e.json", ok=False, env=without)
        check("no node, bun or deno" in done.stderr and "line 1" in done.stderr, done.stderr)
        node = home.work / ".nvm/versions/node/v20.0.0/bin/node"
        node.parent.mkdir(parents=True)
        node.symlink_to(shutil.which("node"))
        done = home.run("start", "e.config.js", ok=False, env=without)
        check("no apps in it" in done.stderr, f"nvm's node was not found: {done.stderr}")


def test_each_mistake_has_a_line_and_nothing_is_started():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        write(home, "e.json", json.dumps({"apps": [
            {"name": "good", "script": "app.js"},
            {"name": "bad", "script": "app.js", "instances": "many", "min_uptime": 1, "autorestart": "perhaps"},
            {"name": "gone", "script": "none.js"},
            {"name": "wrong", "script": "app.js", "port": "http", "env": {"A=B": 1}}]}))
        done = home.run("start", "e.json", ok=False)
        lines = done.stderr.strip().splitlines()[-6:]
        for line, word in zip(lines, ("instances", "min_uptime", "autorestart", "none.js", "port", "env")):
            check(line.startswith("[PM2][ERROR] e.json: ") and word in line, f"{word} is not in {line!r}")
        check(len(lines) == 6 and home.list() == [], f"{done.stderr!r}")
        write(home, "broken.yaml", "apps:\n  - script: [a\n")
        done = home.run("start", "broken.yaml", ok=False)
        check("broken.yaml malformated: line" in done.stderr, done.stderr)
        write(home, "broken.config.js", "module.exports = {\n  apps: [{ script: nobody }],\n};\n")
        done = home.run("start", "broken.config.js", ok=False)
        check("malformated: line 2: nobody is not defined" in done.stderr, done.stderr)


def test_unknown_keys_are_named_and_usual_ones_pass_in_silence():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        write(home, "e.json", json.dumps({"apps": [
            {"name": "a", "script": "app.js", "autorestrat": False, "pmx": False, "vizion": False,
             "automation": False, "kill_retry_time": 100, "windowsHide": True, "deep_monitoring": True}]}))
        done = home.run("start", "e.json")
        warnings = [line for line in done.stderr.splitlines() if "WARN" in line and "starting..." not in line]
        check(len(warnings) == 2, f"{warnings}")
        check('unknown key "autorestrat" is ignored (did you mean "autorestart"?)' in warnings[0], warnings[0])
        check("without effect here: deep_monitoring" in warnings[1], warnings[1])
        check(pm2_env(home, "a")["vizion"] is False, "vizion is not shown")


def test_aliases_and_camel_case():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        write(home, "e.json", json.dumps({"apps": [
            {"name": "a", "exec": "app.js", "interpreterArgs": "--trace-warnings --title='my app'", "args": "-a 'b c' \"d\"",
             "outFile": "o.log", "err": "e.log", "killTimeout": "5000", "combineLogs": True, "minUptime": "10s",
             "user": ""}]}))
        home.run("start", "e.json")
        env = pm2_env(home, "a")
        wanted = {"args": ["-a", "b c", "d"], "node_args": ["--trace-warnings", "--title=my app"],
                  "pm_out_log_path": str(home.work / "o.log"), "pm_err_log_path": str(home.work / "e.log"),
                  "kill_timeout": 5000, "merge_logs": True, "min_uptime": 10000}
        check({key: env[key] for key in wanted} == wanted, f"{env}")


def test_a_restart_with_the_file_takes_over_what_it_says_now():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        def file(**app) -> None:
            write(home, "e.json", json.dumps({"apps": [{"name": "a", "script": "app.js"} | app]}))
        file(env={"KEPT": "1", "GONE": "1"}, kill_timeout=3000, vizion=False)
        home.run("start", "e.json", env={"OF_SHELL": "1"})
        file(env={"KEPT": "2", "NEW": "1"})
        for command in ("start", "restart"):
            home.run(command, "e.json")
            env = pm2_env(home, "a")
            check((env["env"]["KEPT"], env["env"]["NEW"]) == ("2", "1"), f"{command}: {env['env']}")
            check("GONE" not in env["env"] and "GONE" not in env, f"{command}: a removed variable stays")
            check(env["env"]["OF_SHELL"] == "1", f"{command}: a variable of the first shell has gone")
            check(env["kill_timeout"] == 1600 and "vizion" not in env, f"{command}: a removed key stays")


def test_a_restart_by_name_says_what_it_does_not_take_over():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        def file(text: str) -> None:
            write(home, "e.json", '{"apps": [{"name": "a", "script": "app.js", %s}]}' % text)
        file('"env": {"TOKEN": "s3cret-one"}')
        home.run("start", "e.json", env={"API_URL": "http://old", "OLD": "1"})
        quiet = home.run("restart", "a", env={"API_URL": "http://old", "OLD": "1"}).stdout
        check("has changed" not in quiet and "differ" not in quiet, f"said for nothing: {quiet}")
        file('"kill_timeout": 3000, "env": {"TOKEN": "s3cret-two"}')
        said = home.run("restart", "a", env={"API_URL": "http://new", "NEW": "1"}).stdout
        check(f"a: {home.work}/e.json has changed since it was read (kill_timeout, env.TOKEN): "
              f"`pmx restart {home.work}/e.json` takes it over" in said, said)
        check("a: this shell's variables differ (API_URL, new: NEW, gone: OLD): --update-env takes them over"
              in said, said)
        check("s3cret" not in said and "http" not in said, f"a value is shown: {said}")
        env = pm2_env(home, "a")
        check(env["kill_timeout"] == 1600 and env["env"]["API_URL"] == "http://old", "taken over by itself")
        home.run("restart", "a", "--update-env", env={"API_URL": "http://new"})
        check(pm2_env(home, "a")["env"]["API_URL"] == "http://new", "--update-env")
        home.run("restart", "e.json", env={"API_URL": "http://new"})
        quiet = home.run("restart", "a", env={"API_URL": "http://new", "OLD": "1"}).stdout
        check("has changed" not in quiet and "differ" not in quiet, f"still said: {quiet}")


def test_a_javascript_file_is_not_run_for_a_restart_by_name():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        write(home, "e.config.js", "module.exports = { name: 'a', script: 'app.js' };")
        home.run("start", "e.config.js")
        write(home, "e.config.js", "require('fs').writeFileSync('ran', ''); module.exports = {};")
        said = home.run("restart", "a").stdout
        check("e.config.js has changed since it was read: `pmx restart" in said, said)
        check(not (home.work / "ran").exists(), "the file was run")


def test_what_is_printed_for_editors():
    with Home() as home:
        schema = json.loads(home.run("docs", "schema").stdout)
        check("kill_timeout" in schema["definitions"]["app"]["properties"], "no kill_timeout")
        check("kill_timeout: 1600ms" in home.run("docs", "defaults").stdout, "no default of kill_timeout")
        check(not home.pids(), "a daemon was started for it")


# Languages.

def test_a_script_is_run_by_what_its_ending_or_first_line_says():
    tell = {
        "a.js": ("console.log('node', process.argv.length)", "node 2"),
        "b.mjs": ("import fs from 'node:fs'; console.log('module')", "module"),
        "c.cjs": ("console.log('common', typeof require)", "common function"),
        "d.py": ("import os, time\nprint('python', os.environ['PYTHONUNBUFFERED'])\ntime.sleep(1000)", "python 1"),
        "e.sh": ("[[ -n $BASH ]] && echo bash", "bash"),
        "f.pl": ("$| = 1; print 'perl'; print \"\\n\";", "perl"),
        "g": ("#!/bin/sh -u\necho shell $0", "shell "),
        "h": ("#!/usr/bin/env node\nconsole.log('www', process.argv0)", "www node"),
        "i": ("#!/usr/bin/env -S node --title=flagged\nconsole.log(process.title)", "flagged"),
        "j.d": (f"#!{sys.executable}\nimport time\nprint('first line')\ntime.sleep(1000)", "first line"),
        "k": ("console.log('text')", "text"),
    }
    with Home() as home:
        for file, (text, wanted) in tell.items():
            if file == "f.pl" and not shutil.which("perl"):
                continue
            write(home, file, text + "\n", 0o755)
            home.run("start", "./" + file, "--no-autorestart", "--name", "of-" + file)
            found = output(home, "of-" + file)
            check(found.startswith(wanted), f"{file}: {found!r}")
        shutil.copy("/bin/sleep", home.work / "program")
        home.run("start", "./program", "--", "1000")
        check(pm2_env(home, "program")["exec_interpreter"] == "none", "a program was given an interpreter")
        write(home, "plain", "#!/bin/sh\necho not executable\n", 0o644)
        home.run("start", "plain", "--no-autorestart")
        check(output(home, "plain") == "not executable\n", "a script without x")


def test_a_language_that_is_not_there_is_one_clear_line():
    with Home() as home:
        for file, program in (("a.rb", "ruby"), ("a.php", "php"), ("a.coffee", "coffee"), ("a.ls", "lsc")):
            if shutil.which(program):
                continue
            write(home, file, "")
            done = home.run("start", file, ok=False)
            check(f"Interpreter {program} is NOT AVAILABLE in PATH" in done.stderr, done.stderr)
        check(home.list() == [], "something was started")


def test_typescript_by_what_can_read_it():
    with Home() as home:
        write(home, "app.ts", "const n: number = 7; console.log('types', n); setInterval(() => {}, 1000);\n")
        done = home.run("start", "app.ts", "--no-autorestart", ok=None)
        if done.returncode == 0:
            check(output(home, "app").startswith("types 7"), "TypeScript did not run")
        else:
            check("needs bun, node from 22.6 on or deno" in done.stderr, done.stderr)


def test_a_version_of_node_from_nvm():
    with Home() as home:
        nvm = home.work / "nvm"
        node = nvm / "versions/node/v99.1.0/bin/node"
        node.parent.mkdir(parents=True)
        node.write_text(f"#!/bin/sh\necho by nvm\nexec {shutil.which('node')} \"$@\"\n")
        node.chmod(0o755)
        write(home, "app.js", SLEEPER)
        env = {"NVM_DIR": str(nvm)}
        home.run("start", "app.js", "--interpreter", "node@99", env=env)
        check(output(home, "app") == "by nvm\n", "another node was used")
        done = home.run("start", "app.js", "--name", "b", "--interpreter", "node@16.1.0", env=env, ok=False)
        check("node@16.1.0 is not installed" in done.stderr and "there: v99.1.0" in done.stderr, done.stderr)


def test_sources_are_mapped_where_there_is_a_map():
    with Home() as home:
        write(home, "app.js", "console.log(JSON.stringify(process.execArgv));" + SLEEPER)
        home.run("start", "app.js", "--name", "plain")
        check(output(home, "plain") == "[]\n", "a flag without a map")
        write(home, "app.js.map", "{}")
        home.run("start", "app.js", "--name", "mapped")
        check(output(home, "mapped") == '["--enable-source-maps"]\n', output(home, "mapped"))
        home.run("start", "app.js", "--name", "without", "--disable-source-map-support")
        check(output(home, "without") == "[]\n", "a flag that was not wanted")


def test_a_link_is_followed_anew_at_each_start():
    with Home() as home:
        for release in ("1", "2"):
            write(home, f"releases/{release}/app.js",
                  f"console.log('release {release} in', process.cwd());" + SLEEPER)
        current = home.work / "current"
        current.symlink_to("releases/1")
        home.run("start", "current/app.js", "--name", "by-path")
        home.run("start", "app.js", "--name", "by-cwd", "--cwd", "current")
        subprocess.run([PMX, "start", "app.js", "--name", "by-shell"], cwd=current, check=True,
                       env=home.env | {"PWD": str(current)}, capture_output=True)
        names = ("by-path", "by-cwd", "by-shell")
        for name in names:
            check(output(home, name).startswith("release 1"), name)
        current.unlink()
        current.symlink_to("releases/2")
        home.run("restart", "all")
        for name in names:
            text = wait_for(f"{name} runs release 2",
                            lambda n=name: [x for x in output(home, n).splitlines() if x.startswith("release 2")])
            if name != "by-path":
                check(text[0].endswith("releases/2"), f"{name}: {text}")


def test_the_version_of_node_is_known():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        home.run("start", "app.js")
        home.run("start", "/bin/sleep", "--", "1000")
        check(pm2_env(home, "app")["node_version"].count(".") == 2, "node_version")
        check(pm2_env(home, "sleep")["node_version"] is None, "a version of node for sleep")
        check(pm2_env(home, "app")["node_version"] in home.run("describe", "app").stdout, "describe")


if __name__ == "__main__":
    run_tests()
