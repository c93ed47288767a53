"""Coming back at boot: the unit that `pmx startup` writes, and what the daemon tells systemd.

Runs in a mount namespace of its own: /etc/systemd/system is another directory there, and systemctl a
script that writes down what it was asked.
"""
import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from harness import PMX, Home, check, in_mount_namespace, run_tests

UNITS = Path("/etc/systemd/system")


class Machine(Home):
    """A home on a machine whose systemd is ours."""

    def __init__(self):
        super().__init__()
        for name in ("units", "bin"):
            (self.work / name).mkdir()
        UNITS.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", str(self.work / "units"), str(UNITS)], check=True)
        self.asked = self.work / "asked"
        fake = self.work / "bin/systemctl"
        fake.write_text(f'#!/bin/sh\necho "$@" >>{self.asked}\n')
        fake.chmod(0o755)
        self.env["PATH"] = f"{self.work}/bin:{self.env['PATH']}"

    def __exit__(self, *arguments):
        subprocess.run(["umount", str(UNITS)], check=True)
        super().__exit__(*arguments)


def test_startup_writes_a_unit_and_unstartup_removes_it():
    with Machine() as home:
        home.start("slow", "/bin/sleep", "--kill-timeout", "200s", args=["1000"])
        home.run("startup")
        unit = (UNITS / "pmx-root.service").read_text()
        for line in ("Type=notify", "User=root", f'Environment="PMX_HOME={home.path}"', "Alias=pm2-root.service",
                     f'ExecStart="{os.path.realpath(PMX)}" ping', "KillMode=mixed", "TimeoutStopSec=215"):
            check(line in unit.splitlines(), f"{line} is not in the unit:\n{unit}")
        check(home.asked.read_text() == "daemon-reload\nenable pmx-root.service\n", home.asked.read_text())
        if shutil.which("systemd-analyze"):
            done = subprocess.run(["systemd-analyze", "verify", str(UNITS / "pmx-root.service")], capture_output=True,
                                  text=True)
            wrong = [line for line in done.stderr.splitlines() if "pmx-root" in line and "man pmx" not in line]
            check(not wrong, f"systemd-analyze: {wrong}")
        home.run("unstartup")
        check(not (UNITS / "pmx-root.service").exists(), "the unit is still there")
        check("there is no" in home.run("unstartup", ok=False).stderr, "twice")
        check(home.status("slow") == "online", "what ran was disturbed")


def test_the_alias_is_left_to_pm2_where_pm2_has_its_unit():
    with Machine() as home:
        (UNITS / "pm2-root.service").write_text("[Unit]\n")
        said = home.run("startup")
        check("Alias=" not in (UNITS / "pmx-root.service").read_text(), "it takes PM2's name")
        check("pm2-root.service" in said.stderr, f"it does not say so: {said.stderr!r}")


def test_without_root_the_line_for_sudo_is_printed():
    with Machine() as home:
        nobody = pwd.getpwnam("nobody")
        home.work.chmod(0o755)
        env = {k: v for k, v in home.env.items() if k != "PMX_HOME"} | {"HOME": "/tmp"}
        copy = home.work / "bin/pmx"
        shutil.copy(PMX, copy)
        done = subprocess.run([str(copy), "startup"], env=env, capture_output=True, text=True, user=nobody.pw_uid,
                              group=nobody.pw_gid, cwd="/")
        check(done.returncode == 1, f"exit code {done.returncode}")
        check(f"sudo env PATH=$PATH:/usr/bin {copy} startup systemd -u nobody --hp /tmp\n" in done.stdout,
              done.stdout + done.stderr)


def test_other_systems_are_explained():
    with Machine() as home:
        check("/etc/local.d" in home.run("startup", "openrc", ok=False).stdout, "openrc")
        check("LaunchAgents" in home.run("startup", "launchd", ok=False).stdout, "launchd")


def test_a_daemon_tells_the_manager_that_it_is_ready_and_who_is_the_main_process():
    with Home() as home:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(str(home.work / "notify"))
        manager.settimeout(20)
        home.env["NOTIFY_SOCKET"] = str(home.work / "notify")
        home.run("ping")
        check(manager.recv(200).decode() == f"READY=1\nMAINPID={home.ping()['keeper_pid']}", "what it was told")
        manager.close()


if __name__ == "__main__":
    in_mount_namespace()
    run_tests()
