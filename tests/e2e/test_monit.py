"""`pmx monit` on a terminal: what it shows, what its keys do, and that it leaves the terminal as it was."""
import os
import pty
import re
import termios

from harness import Home, check, run_tests, wait_for


class Screen:
    """pmx on a terminal of its own."""

    def __init__(self, home: Home, *arguments: str):
        self.terminal, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.process = home.spawn(*arguments, stdin=self.slave, stdout=self.slave)
        os.set_blocking(self.terminal, False)
        self.seen, self.frame = b"", ""

    def look(self) -> str:
        """The last whole frame, without colours."""
        try:
            while piece := os.read(self.terminal, 65536):
                self.seen += piece
        except BlockingIOError:
            pass
        frames = re.findall(rb"\x1b\[H(.*?)\x1b\[J", self.seen, re.S)
        if frames:
            self.frame = re.sub(r"\x1b\[[0-9;]*m|\x1b\[K", "", frames[-1].decode(errors="replace"))
        return self.frame

    def shows(self, text: str) -> None:
        wait_for(f"the screen shows {text!r}", lambda: text in self.look())

    def press(self, keys: bytes) -> None:
        os.write(self.terminal, keys)

    def end(self) -> None:
        code = self.process.wait(20)
        self.look()
        check(code == 0, f"it ended with {code}")
        check(termios.tcgetattr(self.slave) == self.before, "the terminal's settings are others")
        check(self.seen.endswith(b"\x1b[?7h\x1b[?25h\x1b[?1049l"), f"{self.seen[-60:]!r}")
        os.close(self.slave)
        os.close(self.terminal)


def shell(home: Home, name: str, text: str) -> None:
    path = home.work / f"{name}.sh"
    path.write_text(text + "\n")
    home.run("start", path, "--name", name)


def test_the_chosen_apps_lines_are_followed():
    with Home() as home:
        shell(home, "aa", "echo first of aa; while [ ! -e go ]; do sleep 0.05; done; echo then >&2; exec sleep 1000")
        shell(home, "bb", "echo first of bb; exec sleep 1000")
        screen = Screen(home, "monit")
        screen.shows("first of aa")
        check("first of bb" not in screen.frame, screen.frame)
        (home.work / "go").touch()
        screen.shows("then")
        screen.press(b"\x1b[B")
        screen.shows("first of bb")
        check("first of aa" not in screen.frame, screen.frame)
        screen.press(b"k")
        screen.shows("first of aa")
        screen.press(b"q")
        screen.end()


def test_apps_that_come_and_go_are_seen():
    with Home() as home:
        shell(home, "aa", "exec sleep 1000")
        screen = Screen(home, "monit")
        screen.shows("aa")
        shell(home, "bb", "echo here; exec sleep 1000")
        screen.shows("bb")
        home.run("delete", "aa")
        screen.shows("here")
        home.run("stop", "bb")
        screen.shows("stopped")
        screen.press(b"\x03")
        screen.end()


def test_the_daemons_end_is_said_and_starts_no_other():
    with Home() as home:
        shell(home, "aa", "exec sleep 1000")
        screen = Screen(home, "dash")
        screen.shows("aa")
        home.run("kill")
        screen.shows("no daemon runs in")
        check(home.pids() == [screen.process.pid], "a daemon was started")
        screen.press(b"q")
        screen.end()


def test_the_terminal_is_left_as_it_was():
    for leave in (lambda screen: screen.press(b"q"), lambda screen: screen.process.terminate()):
        with Home() as home:
            shell(home, "aa", "exec sleep 1000")
            screen = Screen(home, "monit")
            wait_for("a frame", screen.look)
            check(not termios.tcgetattr(screen.slave)[3] & termios.ECHO, "keys are echoed")
            leave(screen)
            screen.end()


def test_without_a_terminal_one_line_says_what_else_there_is():
    with Home() as home:
        done = home.run("monit", ok=False)
        check("monit needs a terminal: `pmx list` and `pmx logs` do not" in done.stderr, done.stderr)


if __name__ == "__main__":
    run_tests()
