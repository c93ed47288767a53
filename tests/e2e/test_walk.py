"""A walk over the tables: every command, every option and every key has a row here, and does what the
row says. A row that is added to pmx's own tables and not here fails."""
import json
import re
from pathlib import Path

from harness import Home, check, run_tests, wait_for

# Key: other names, the value that the file has, and what `jlist` has then (pm2_env): a key and its value.
KEYS = {
    "name": ("", "other", ("name", "other")),
    "namespace": ("", "shop", ("namespace", "shop")),
    "script": ("exec cmd command", "/bin/cat", ("pm_exec_path", "/bin/cat")),
    "args": ("", "-a 'b c'", ("args", ["-a", "b c"])),
    "cwd": ("", "/usr", ("pm_cwd", "/usr")),
    "exec_interpreter": ("interpreter", "/bin/sh", ("exec_interpreter", "/bin/sh")),
    "node_args": ("interpreter_args", "-e -u", ("node_args", ["-e", "-u"])),
    "source_map_support": ("", False, ("source_map_support", False)),
    "exec_mode": ("", "cluster", ("exec_mode", "cluster_mode")),
    "balance": ("", "sticky", ("balance", "sticky")),
    "drain_hook": ("", False, ("drain_hook", False)),
    "instances": ("", 1, ("instances", 1)),
    "instance_var": ("", "NUMBER", ("NUMBER", 0)),
    "increment_var": ("", "PORT", ("increment_var", "PORT")),
    "env": ("", {"FROM_FILE": "1"}, ("FROM_FILE", "1")),
    "env_file": ("", ".env?", ("env_file", ["{cwd}/.env?"])),
    "uid": ("user", "nobody", ("uid", "nobody")),
    "username": ("", "somebody", ("username", "somebody")),
    "gid": ("", "nogroup", ("gid", "nogroup")),
    "out_file": ("out output out_log", "o.log", ("pm_out_log_path", "{cwd}/o.log")),
    "error_file": ("error err err_file err_log", "e.log", ("pm_err_log_path", "{cwd}/e.log")),
    "log_file": ("log", "l.log", ("pm_log_path", "{cwd}/l.log")),
    "merge_logs": ("combine_logs", False, ("merge_logs", False)),
    "disable_logs": ("", True, ("disable_logs", True)),
    "log_type": ("", "json", ("log_type", "json")),
    "log_date_format": ("", "HH:mm", ("log_date_format", "HH:mm")),
    "time": ("", True, ("time", True)),
    "pid_file": ("pid", "p.pid", ("pm_pid_path", "{cwd}/p-{id}.pid")),
    "redact": ("", {"keys": ["ssn"]}, ("redact", {"builtin": False, "keys": ["ssn"]})),
    "rotate": ("", {"retain": 3}, ("rotate.retain", 3)),
    "when_full": ("", "block", ("when_full", "block")),
    "sync": ("", "batch", ("sync", "batch")),
    "ship": ("", "file:///dev/null", ("ship.0.type", "file")),
    "autorestart": ("", False, ("autorestart", False)),
    "autostart": ("", False, ("autostart", False)),
    "max_restarts": ("", 7, ("max_restarts", 7)),
    "min_uptime": ("", "2s", ("min_uptime", 2000)),
    "restart_delay": ("", 300, ("restart_delay", 300)),
    "exp_backoff_restart_delay": ("", 100, ("exp_backoff_restart_delay", 100)),
    "exp_backoff_max_delay": ("", "1m", ("exp_backoff_max_delay", 60000)),
    "stop_exit_codes": ("", [0, 3], ("stop_exit_codes", [0, 3])),
    "kill_signal": ("", "term", ("kill_signal", "SIGTERM")),
    "kill_timeout": ("", 3000, ("kill_timeout", 3000)),
    "treekill": ("", False, ("treekill", False)),
    "wait_ready": ("", True, ("wait_ready", True)),
    "listen_timeout": ("", 5000, ("listen_timeout", 5000)),
    "health": ("", "/up", ("health.path", "/up")),
    "shutdown_with_message": ("", True, ("shutdown_with_message", True)),
    "cron_restart": ("cron", "0 3 * * *", ("cron_restart", "0 3 * * *")),
    "max_memory_restart": ("", "200M", ("max_memory_restart", 200 << 20)),
    "watch": ("", True, ("watch", True)),
    "ignore_watch": ("", ["tmp"], ("ignore_watch", ["tmp"])),
    "watch_delay": ("", 500, ("watch_delay", 500)),
    "name_prefix": ("", "pre", ("name", "pre:{name}")),
    "port": ("", 8080, ("PORT", "8080")),
    "execute_command": ("", True, ("exec_mode", "fork_mode")),
    "filter_env": ("", ["FROM_SHELL"], ("FROM_SHELL", None)),
    "append_env_to_name": ("", True, ("name", "{name}")),  # Without --env there is nothing to append.
    "disable_source_map_support": ("", True, ("source_map_support", False)),
}
# PM2's, kept and shown; those that ask for something that pmx has not are warned about.
KEPT = {
    "trace": True, "v8": True, "event_loop_inspector": True, "deep_monitoring": True, "io": {"a": 1},
    "install_url": "x", "post_update": ["x"], "force": True, "write": True,
}
MOOT = {
    "watch_options": {"usePolling": True}, "pmx": False, "automation": False, "vizion": False,
    "disable_trace": True, "kill_retry_time": 100, "windowsHide": True,
}


def camel(key: str) -> str:
    return re.sub("_(.)", lambda match: match.group(1).upper(), key)


def names_of(key: str, aliases: str = "") -> list[str]:
    names = [key, *aliases.split()]
    return names + [camel(name) for name in names if camel(name) != name]


def at(value, path: str):
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value.get(part)
    return value


def test_every_key_under_all_its_names_reaches_the_app():
    with Home(env={"FROM_SHELL": "1"}) as home:
        apps, wanted = [], []
        for key, (aliases, value, expected) in KEYS.items():
            for name in names_of(key, aliases):
                app = {"name": f"app{len(apps)}", "script": "/bin/sleep", "autostart": False}
                if camel(key) == camel("script"):
                    del app["script"]
                apps.append(app | {name: value})
                wanted.append((name, expected))
        (home.work / "e.json").write_text(json.dumps({"apps": apps}))
        home.run("start", "e.json")
        listed = home.list()
        check(len(listed) == len(apps), f"{len(apps)} apps are {len(listed)} processes")
        for app, (name, (path, value)), element in zip(apps, wanted, listed):
            if isinstance(value, str):
                value = value.format(cwd=home.work, id=element["pm_id"], name=app["name"])
            elif isinstance(value, list):
                value = [v.format(cwd=home.work) if isinstance(v, str) else v for v in value]
            got = at(element["pm2_env"], path)
            check(got == value, f"{name}: {app[name]!r} gives {path}: {got!r} in place of {value!r}")


def test_keys_without_effect_are_kept_and_those_that_ask_for_something_are_said():
    with Home() as home:
        rows = KEPT | MOOT
        names = [name for key in rows for name in names_of(key)]
        value_of = {name: rows[key] for key in rows for name in names_of(key)}
        apps = [{"name": f"app{i}", "script": "/bin/sleep", "autostart": False, name: value_of[name]}
                for i, name in enumerate(names)]
        (home.work / "e.json").write_text(json.dumps({"apps": apps}))
        said = home.run("start", "e.json").stderr
        for app, element, name in zip(apps, home.list(), names):
            key = next(key for key in rows if name in names_of(key))
            check(element["pm2_env"][key] == value_of[name], f"{name} is not kept: {element['pm2_env'].get(key)}")
            check((f"app {app['name']}: without effect" in said) == (key in KEPT), f"{name}: {said}")


def test_every_key_of_the_table_has_a_row_here():
    with Home() as home:
        schema = json.loads(home.run("docs", "schema").stdout)
        known = set(schema["definitions"]["app"]["properties"]) - {"$schema"}
        here = {name for key, row in KEYS.items() for name in names_of(key, row[0])}
        here |= {name for key in KEPT | MOOT for name in names_of(key)}
        check(known == here, f"without a row: {sorted(known - here)}; without a key: {sorted(here - known)}")


# Command: its other names, and arguments with which it ends with 0 where an app `web` is listed as stopped.
COMMANDS = {
    "start": ("", ["web"]), "list": ("ls l ps status", []), "logs": ("log", ["web", "--nostream"]),
    "monit": ("dashboard dash imonit", None),
    "stop": ("", ["web"]), "restart": ("", ["web"]), "reload": ("", ["web"]),
    "startOrRestart": ("", ["e.json"]), "startOrReload": ("startOrGracefulReload", ["e.json"]), "scale": ("", ["web", "2"]),
    "delete": ("del", ["other"]), "describe": ("show info desc", ["web"]), "why": ("", ["web"]), "balance": ("", ["web"]), "env": ("", ["0"]),
    "id": ("", ["web"]), "pid": ("", ["web"]), "jlist": ("", []), "prettylist": ("", []), "reset": ("", ["web"]),
    "flush": ("", ["web"]), "rotate": ("", ["web"]), "reloadLogs": ("", []), "sendSignal": ("", ["SIGCONT", "up"]),
    "send": ("", ["1", "line"]), "attach": ("", ["1"]), "trigger": ("", None), "run": ("", ["--", "/bin/true"]),
    "serve": ("expose", None), "ship": ("", ["status"]), "set": ("", ["rotate.retain", "5"]), "get": ("", ["rotate.retain"]),
    "unset": ("", ["rotate.retain"]), "conf": ("config", []), "multiset": ("", ["rotate.retain 5"]),
    "install": ("", ["pm2-logrotate"]), "save": ("dump", []), "cleardump": ("", []), "resurrect": ("", None),
    "import": ("", None), "ping": ("", []), "kill": ("", []), "startup": ("", None), "unstartup": ("", None),
    "update": ("updatePM2", []), "ecosystem": ("init", ["--force"]), "link-pm2": ("", ["links"]), "report": ("", []),
    "completion": ("", ["bash"]), "version": ("", []), "help": ("", ["start"]),
}
# Those with None need more than a listed app; their cases are named here and looked for.
ELSEWHERE = {
    "monit": "test_monit.py", "trigger": "test_channel.py", "resurrect": "test_pm2_commands.py", "import": "test_pm2_commands.py",
    "serve": "test_serve.py", "startup": "test_startup.py", "unstartup": "test_startup.py",
}


def test_every_command_under_all_its_names_does_its_work():
    for command, (aliases, arguments) in COMMANDS.items():
        if arguments is None or command == "run":
            continue
        with Home() as home:
            (home.work / "e.json").write_text(json.dumps({"apps": [{"name": "web", "script": "/bin/sleep", "args": "1000"}]}))
            (home.work / "links").mkdir()
            home.run("start", "/bin/sleep", "--name", "web", "--no-autostart", "--", "1000")
            home.run("start", "/bin/cat", "--name", "up")
            for name in [command, *aliases.split()]:
                if command == "delete":
                    home.run("start", "/bin/sleep", "--name", "other", "--no-autostart", "--", "1000")
                done = home.run(name, *arguments, ok=None)
                check(done.returncode == 0, f"pmx {name} {arguments}: {done.returncode} {done.stdout}{done.stderr}")


def test_run_under_its_name():
    with Home() as home:
        home.run("run", "--", "/bin/true")


def test_commands_with_cases_of_their_own_have_them():
    for command, file in ELSEWHERE.items():
        text = (Path(__file__).parent / file).read_text()
        check(re.search(rf'run\("{command}"', text), f"{file} has no case of {command}")


def test_every_command_of_the_table_has_a_row_here():
    with Home() as home:
        text = home.run("help").stdout
        body = text[text.index("Commands:"):text.index("Options of every command:")].splitlines()[1:]
        known = {name for line in body if re.match(r"  \S", line)
                 for name in re.split(r",\s*", re.split(r"\s{2,}", line.strip())[0])}
        here = {name for command, (aliases, _) in COMMANDS.items() for name in [command, *aliases.split()]}
        check(known == here, f"without a row: {sorted(known - here)}; without a command: {sorted(here - known)}")


def test_a_target_that_is_not_there_is_one_line_and_one_for_each_command():
    with Home() as home:
        home.start("web", "/bin/sleep", args=["1000"])
        for command in ("stop", "restart", "reload", "delete", "describe", "env", "reset", "flush", "rotate", "why",
                        "balance", "scale", "send", "attach", "trigger", "sendSignal"):
            words = {"scale": ["nobody", "2"], "send": ["77", "x"], "trigger": ["nobody", "x"],
                     "sendSignal": ["SIGCONT", "nobody"], "env": ["77"], "attach": ["77"]}.get(command, ["nobody"])
            done = home.run(command, *words, ok=None)
            nothing_to_do = command == "flush"  # As PM2: scripts empty what may not be there.
            check(done.returncode == (0 if nothing_to_do else 1), f"pmx {command} {words}: {done.returncode}")
            check(done.stderr.strip() or done.stdout.strip(), f"pmx {command} {words} says nothing")
        check(home.status("web") == "online", "somebody else was touched")


if __name__ == "__main__":
    run_tests()
