"""What apps and pmx say to each other: Node's IPC channel (ready, shutdown, PM2's actions), standard
inputs, signals; and that the death of the daemon disturbs none of it."""
import json
import os
import signal
import subprocess
import sys
import time

from harness import Home, alive, check, read_log, run_tests, wait_for

NODE_APP = """
const [readyAfter] = process.argv.slice(2).map(Number);
if (readyAfter >= 0) setTimeout(() => process.send('ready'), readyAfter);
process.on('disconnect', () => console.log('DISCONNECTED'));
process.on('message', (message) => {
  console.log('got ' + JSON.stringify(message));
  if (message === 'shutdown') process.exit(7);
});
setInterval(() => {}, 1000);
"""

PYTHON_APP = """
import os, sys, time
channel = int(os.environ['NODE_CHANNEL_FD'])
for number, piece in enumerate(sys.argv[1:]):
    os.write(channel, piece.encode().decode('unicode_escape').encode())
    open(f'sent{number}', 'w').close()
    while not os.path.exists('go'): time.sleep(0.01)
time.sleep(1000)
"""

ACTION_APP = """
const declare = (name) => process.send({type: 'axm:action', data: {action_name: name, arity: 1}});
declare('hello'); declare('echo'); declare('silent'); declare('leave'); declare('void');
process.send({type: 'axm:monitor', data: {'Queue': {value: 12, unit: 'jobs'}}});
process.send({type: 'process:msg', data: {nobody: 'wants it'}});
process.on('message', (message) => {
  const name = typeof message === 'string' ? message : message.msg;
  const reply = (value) => process.send({type: 'axm:reply', data: {return: value, action_name: name}});
  if (name === 'hello') reply({hello: process.env.name});
  if (name === 'echo') reply(message);
  if (name === 'void') reply();
  if (name === 'leave') process.exit(0);
});
process.send('ready');
setInterval(() => {}, 1000);
"""

READY = ["--wait-ready", "--listen-timeout", 60000]  # A loaded machine takes its time to start node.


def write(home: Home, name: str, text: str) -> str:
    path = home.work / name
    path.write_text(text)
    return str(path)


def out(home: Home, name: str) -> str:
    return read_log(home.logs / f"{name}-out.log").decode()


def prints(home: Home, name: str, text: str) -> None:
    wait_for(f"{name} prints {text!r}", lambda: text in out(home, name))


def start_python(home: Home, name: str, *pieces, options=(), **more):
    return home.run("start", write(home, "app.py", PYTHON_APP), "--name", name, "--interpreter", sys.executable,
                    "--cwd", home.work, *READY, *options, "--", *pieces, **more)


# Ready.

def test_start_answers_when_the_app_is_ready():
    with Home() as home:
        app = write(home, "app.js", NODE_APP)
        begin = time.monotonic()
        home.run("start", app, "--name", "web", *READY, "--", 1500)
        check(time.monotonic() - begin > 1.5, "answered before the app was ready")
        check(home.status("web") == "online", home.status("web"))
        begin = time.monotonic()
        home.run("restart", "web")
        check(time.monotonic() - begin > 1.5 and home.status("web") == "online", "restart did not wait")


def test_not_ready_in_time_is_an_error_and_the_app_goes_on():
    with Home() as home:
        app = write(home, "app.js", NODE_APP)
        failed = home.run("start", app, "--name", "slow", "--wait-ready", "--listen-timeout", 500, "--", 4000,
                          ok=False)
        check("has not sent 'ready' within 500 ms" in failed.stderr, failed.stderr)
        before = home.app("slow")
        check(before["pm2_env"]["status"] == "launching", before["pm2_env"]["status"])
        check("ready" in before["pmx"]["trouble"], before["pmx"]["trouble"])
        wait_for("online after all", lambda: home.status("slow") == "online")
        after = home.app("slow")
        check(after["pid"] == before["pid"] and after["pmx"]["trouble"] == "", f"{after['pmx']}")


def test_an_app_that_ends_before_it_is_ready_has_not_started():
    with Home() as home:
        app = write(home, "app.js", "process.exit(3)")
        failed = home.run("start", app, "--name", "dies", *READY, "--no-autorestart", ok=False)
        check("ended before it was ready: it exited with code [3]" in failed.stderr, failed.stderr)


def test_any_language_can_say_that_it_is_ready():
    with Home() as home:
        start_python(home, "py", '"ready"\\n')
        check(home.status("py") == "online", home.status("py"))


def test_without_wait_ready_a_start_does_not_wait():
    with Home() as home:
        home.run("start", write(home, "app.js", NODE_APP), "--name", "web", "--", 0)
        check(home.status("web") == "online", home.status("web"))


def test_an_app_that_has_done_its_work_ends_although_it_has_a_channel():
    with Home() as home:
        app = write(home, "job.js", "process.send('hi'); console.log(process.connected, typeof process.send)")
        home.run("start", app, "--name", "job", "--no-autorestart")
        home.wait_for_end("job")
        check(out(home, "job") == "true function\n", out(home, "job"))
        check(home.app("job")["pm2_env"]["exit_code"] == 0, "exit code")


def test_only_those_who_can_use_a_channel_have_one():
    with Home() as home:
        script = "echo [$NODE_CHANNEL_FD] > plain; ls -l /proc/$$/fd >> plain; sleep 1000"
        home.start("plain", "/bin/sh", "--interpreter", "none", "--cwd", home.work, args=["-c", script],
                   env={"NODE_CHANNEL_FD": "9"})
        text = wait_for("what it sees", lambda: (home.work / "plain").exists() and (home.work / "plain").read_text())
        check(text.startswith("[]\n") and "socket" not in text, text)


# The daemon's death.

def test_the_daemons_death_is_not_noticed():
    with Home() as home:
        home.run("start", write(home, "app.js", NODE_APP), "--name", "web", *READY, "--", 0)
        pid = home.app("web")["pid"]
        for _ in range(5):
            home.kill_daemon()
        check(home.status("web") == "online" and home.app("web")["pid"] == pid, "restarted")
        check("DISCONNECTED" not in out(home, "web"), out(home, "web"))
        os.kill(home.ping()["keeper_pid"], signal.SIGKILL)
        wait_for("another keeper", lambda: "started another" in home.own_log())
        check(home.status("web") == "online" and alive(pid), "ended with its keeper")
        check("DISCONNECTED" not in out(home, "web"), out(home, "web"))


def test_ready_survives_the_daemons_death_wherever_it_is_cut():
    for cut in range(len('"ready"') + 1):
        with Home() as home:
            word = '"ready"\\n'
            starting = subprocess.Popen(
                [os.environ.get("PMX_BIN", "pmx"), "start", write(home, "app.py", PYTHON_APP), "--name", "py",
                 "--interpreter", sys.executable, "--cwd", str(home.work), "--wait-ready", "--listen-timeout",
                 "60000", "--", word[:cut], word[cut:]],
                env=home.env, cwd=home.work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            home.processes.append(starting)
            wait_for("the first part is sent", (home.work / "sent0").exists)
            home.kill_daemon()
            check(home.status("py") == "launching", f"cut at {cut}: {home.status('py')}")
            (home.work / "go").touch()
            wait_for(f"online, cut at {cut}", lambda: home.status("py") == "online")


def test_what_is_said_while_no_daemon_lives_is_heard_by_the_next():
    with Home() as home:
        start_python(home, "py", '"ready', '"\\n', options=["--listen-timeout", 100], ok=False)
        daemon = home.ping()["daemon_pid"]
        os.kill(daemon, signal.SIGSTOP)
        (home.work / "go").touch()
        wait_for("the rest is sent", (home.work / "sent1").exists)
        os.kill(daemon, signal.SIGKILL)
        wait_for("online", lambda: home.status("py") == "online")


def test_not_ready_is_said_by_the_next_daemon_too():
    with Home() as home:
        start = home.spawn("start", write(home, "app.js", NODE_APP), "--name", "slow", "--wait-ready",
                           "--listen-timeout", "3000", "--", "-1", stderr=subprocess.DEVNULL)
        wait_for("it runs", lambda: home.list() and home.list()[0]["pid"] > 0)
        home.kill_daemon()
        start.wait(30)
        wait_for("the trouble", lambda: "has not sent 'ready'" in home.app("slow")["pmx"]["trouble"])
        check(home.status("slow") == "launching", home.status("slow"))


# Stops.

def test_stop_by_message_in_place_of_sigint():
    with Home() as home:
        app = write(home, "app.js", NODE_APP)
        home.run("start", app, "--name", "web", *READY, "--shutdown-with-message", "--kill-timeout", 20000,
                 "--", 0)
        home.run("restart", "web")
        home.run("stop", "web")
        check(out(home, "web").count('got "shutdown"\n') == 2, out(home, "web"))
        check(home.app("web")["pm2_env"]["exit_code"] == 7, "not by the message")


def test_who_does_not_heed_the_message_is_killed():
    with Home() as home:
        app = write(home, "deaf.js", "process.on('message', () => {}); process.on('SIGINT', () => {}); process.send('ready')")
        home.run("start", app, "--name", "deaf", *READY, "--shutdown-with-message", "-k", 400)
        home.run("stop", "deaf")
        check(home.app("deaf")["pm2_env"]["exit_signal"] == "SIGKILL", "how did it end?")


def test_who_has_closed_the_channel_gets_sigint():
    with Home() as home:
        app = write(home, "gone.js", "process.send('ready', () => process.disconnect());\n"
                                     "process.on('SIGINT', () => process.exit(9)); setInterval(() => {}, 1000)")
        home.run("start", app, "--name", "gone", *READY, "--shutdown-with-message", "-k", 20000)
        home.run("stop", "gone")
        check(home.app("gone")["pm2_env"]["exit_code"] == 9, "not by SIGINT")


# Messages that nobody wants, and too many of them.

def test_a_flood_of_messages_does_not_keep_others_waiting():
    with Home() as home:
        app = write(home, "flood.js", "const line = {type: 'process:msg', data: 'x'.repeat(200)};\n"
                                      "const more = () => { for (let i = 0; i < 50; i++) process.send(line);\n"
                                      "                     setImmediate(more); }; more()")
        home.run("start", app, "--name", "flood")
        home.run("start", write(home, "app.js", NODE_APP), "--name", "web", *READY, "--", 100)
        for _ in range(5):
            begin = time.monotonic()
            home.run("list")
            check(time.monotonic() - begin < 5, "list waits behind the flood")


def test_a_message_that_is_too_long_harms_nobody():
    with Home() as home:
        app = write(home, "long.js", "process.send('x'.repeat(3 << 20), () => process.send('ready'));\n"
                                     "setInterval(() => {}, 1000)")
        home.run("start", app, "--name", "long", *READY)
        check(home.status("long") == "online", home.status("long"))
        check("was passed over" in home.own_log(), "it is not said")


# Actions.

def test_trigger_calls_what_apps_have_declared():
    with Home() as home:
        app = write(home, "actions.js", ACTION_APP)
        home.run("start", app, "--name", "web", *READY)
        home.run("start", app, "--name", "other", "--namespace", "back", *READY)
        env = home.app("web")["pm2_env"]
        check([a["action_name"] for a in env["axm_actions"]] == ["hello", "echo", "silent", "leave", "void"], f"{env}")
        check(env["axm_monitor"] == {"Queue": {"value": 12, "unit": "jobs"}}, f"{env['axm_monitor']}")
        done = home.run("trigger", "web", "hello")
        check(done.stdout == '1 processes have received command hello\n[web:0:default]={"hello":"web"}\n', done.stdout)
        done = home.run("trigger", "all", "hello")
        check(done.stdout.startswith("2 processes have received command hello\n")
              and '[other:1:back]={"hello":"other"}\n' in done.stdout, done.stdout)
        check("[other:1:back]=" in home.run("trigger", "back", "hello").stdout, "by namespace")
        check('[web:0:default]="echo"' in home.run("trigger", 0, "echo").stdout, "a bare name is sent bare")
        done = home.run("trigger", "web", "echo", "a parameter")
        check(json.loads(done.stdout.split("=", 1)[1]) ==
              {"msg": "echo", "opts": "a parameter", "name": "web"}, done.stdout)
        check("=undefined\n" in home.run("trigger", "web", "void").stdout, "an action that returns nothing")
        home.kill_daemon()
        check('{"hello":"web"}' in home.run("trigger", "web", "hello").stdout, "forgotten by the next daemon")


def test_trigger_says_why_nothing_was_called():
    with Home() as home:
        home.run("start", write(home, "actions.js", ACTION_APP), "--name", "web", *READY)
        for words, why in [
                (("web", "nonsense"), "Not any process has received a command (offline or unexistent)"),
                (("nobody", "hello"), "Not any process has received a command (offline or unexistent)"),
                ((0, "nonsense"), "Action doesn't exist nonsense for web"),
                ((99, "hello"), "99 id unknown"),
                (("web", "leave"), "[web:0:default] ended before it replied")]:
            failed = home.run("trigger", *words, ok=False)
            check(failed.stderr.strip() == why, f"{words}: {failed.stderr}")
        home.run("stop", "web")
        failed = home.run("trigger", "web", "hello", ok=False)
        check("Not any process" in failed.stderr, failed.stderr)
        check("missing required argument" in home.run("trigger", "web", ok=False).stderr, "no action named")


# Signals and standard inputs.

def test_send_signal_reaches_the_apps_own_process_only():
    with Home() as home:
        script = ("trap 'echo parent' USR2; (trap 'echo child' USR2; while :; do sleep 0.05; done) & "
                  "echo up; while :; do sleep 0.05; done")
        home.start("web", "/bin/sh", "--interpreter", "none", args=["-c", script])
        prints(home, "web", "up\n")
        done = home.run("sendSignal", "SIGUSR2", "web")
        check(done.stdout.startswith("[PM2] Sending signal to process name web\n"
                                     "successfully sent signal SIGUSR2 to process name web\n"), done.stdout)
        prints(home, "web", "parent\n")
        done = home.run("sendSignal", "SIGUSR2", 0)
        check("successfully sent signal SIGUSR2 to process id 0\n" in done.stdout, done.stdout)
        wait_for("the second", lambda: out(home, "web").count("parent\n") == 2)
        check("child" not in out(home, "web"), "the child got it too")
        for words, why in [(("SIGNONE", "web"), "Unknown signal: SIGNONE"), (("USR2", "web"), "Unknown signal: USR2"),
                           (("SIGUSR2", "nobody"), "Unknown process name"), (("SIGUSR2", 99), "99 id unknown")]:
            failed = home.run("sendSignal", *words, ok=False)
            check(failed.stderr.startswith(why), f"{words}: {failed.stderr}")
        home.run("stop", "web")
        check("is not running" in home.run("sendSignal", "SIGUSR2", "web", ok=False).stderr, "to a stopped one")


READER = "while IFS= read -r line; do echo \"<$line>\"; done; echo END"


def test_send_writes_a_line_to_the_standard_input():
    with Home() as home:
        home.start("reader", "/bin/sh", "--interpreter", "none", args=["-c", READER])
        home.run("send", 0, "hello there")
        prints(home, "reader", "<hello there>\n")
        home.run("send", 0, "two", "words")
        prints(home, "reader", "<two words>\n")
        home.kill_daemon()
        home.run("send", 0, "x" * 100_000)
        prints(home, "reader", "<" + "x" * 100_000 + ">\n")
        check("END" not in out(home, "reader"), "its input has ended")
        failed = home.run("send", 99, "x", ok=False)
        check("Process with ID <99> unknown." in failed.stderr, failed.stderr)
        home.run("stop", "reader")
        failed = home.run("send", 0, "x", ok=False)
        check("Process with ID <0> offline." in failed.stderr, failed.stderr)


def test_an_app_that_reads_nothing_does_not_make_send_wait():
    with Home() as home:
        home.start("deaf", "/bin/sleep", "--interpreter", "none", args=["1000"])
        refused = None
        for _ in range(40):
            done = home.run("send", 0, "x" * 4000, ok=None)
            if done.returncode != 0:
                refused = done
                break
        check(refused is not None and "has not read what was sent to it before" in refused.stderr, "never full")


def test_attach_types_into_an_app_and_shows_what_it_prints():
    with Home() as home:
        home.start("reader", "/bin/sh", "--interpreter", "none", args=["-c", READER])
        attached = home.spawn("attach", 0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        attached.stdin.write(b"one\ntwo\n")
        attached.stdin.flush()
        check(attached.stdout.readline() == b"<one>\n" and attached.stdout.readline() == b"<two>\n", "the answers")
        attached.send_signal(signal.SIGINT)
        check(attached.wait(20) == 0, "Ctrl-C")
        attached = home.spawn("attach", 0, "!\n", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        attached.stdin.write(b"three\n")
        attached.stdin.close()
        check(attached.wait(20) == 0, "the end of our input")
        prints(home, "reader", "<three!>\n")
        failed = home.run("attach", "reader", ok=False)
        check(failed.stderr == "pm_id must be a process number (not a process name)\n", failed.stderr)
        check("unknown" in home.run("attach", 99, ok=False).stderr, "an unknown id")


if __name__ == "__main__":
    run_tests()
