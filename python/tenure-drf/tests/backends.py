"""Real neighbours for the tests: PostgreSQL and Redis, each as `tenure-rig` starts it, and a Tenure.

Each ends with this process, whichever way it ends, because its standard input closes, or that of a shell whose child
it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

ROOT = Path(__file__).resolve().parents[3]

#: Where `cargo xtask test` says that the programs are; by hand it is where cargo puts them.
RIG = os.environ.get("RIG_BINARY") or str(ROOT / "target/debug/tenure-rig")
TESTBED = os.environ.get("TESTBED_BINARY") or str(ROOT / "target/debug/tenure-testbed")
SERVER = os.environ.get("SERVER_BINARY") or str(ROOT / "target/debug/tenure")

#: Waits until its standard input closes, and ends what it started.
SUPERVISOR = (
    '"$@" </dev/null & child=$!; echo "$child"; read -r _; kill -CONT "$child"; kill -KILL "$child"; wait "$child"'
)

PATIENCE = 30.0


class Rig:
    """A server of `tenure-rig`'s. Redis can be killed and started again."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen([RIG, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, f"{kind} was not started"

    def say(self, word: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def end(self) -> None:
        self._process.communicate()


def shared(variable: str, kind: str) -> str:
    """The URL of a server that this process and its children share."""
    if variable not in os.environ:
        rig = Rig(kind)
        _kept.append(rig)
        os.environ[variable] = rig.url
    return os.environ[variable]


_kept: list[Rig] = []


def end_shared() -> None:
    for rig in _kept:
        rig.end()


def database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
        "PASSWORD": parts.password or "",
        "NAME": os.environ.get("SITE_DATABASE", f"drf_{os.getpid()}"),
    }


def free_port() -> int:
    """Below the ports that connections take by themselves, one of which might be this one before a server has it again."""
    while True:
        port = random.randrange(15_000, 31_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


class Tenure:
    """A server of the product's, in development, on files of its own."""

    def __init__(self, toml: str = "", **settings: str) -> None:
        """A configuration file, and what the environment says above it: `SERVER__LISTEN`."""
        self._folder = tempfile.TemporaryDirectory(prefix="tenure-drf-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        file = Path(self._folder.name, "tenure.toml")
        file.write_text(toml)
        usual = {
            "CONFIG": str(file),
            "SERVER__LISTEN": f"127.0.0.1:{self.port}",
            "SERVER__OPS_LISTEN": "",
            "LOG__LEVEL": "warn",
            # Cheap: hundreds of sign-ins are not what is tested.
            "PASSWORD__MEMORY_KIB": "8192",
            "PASSWORD__PASSES": "1",
        }
        self.settings = {f"TENURE_{name}": value for name, value in (usual | settings).items()}
        self._supervisor: subprocess.Popen[str] | None = None
        self.pid = 0
        self.start()

    def _environment(self) -> dict[str, str]:
        """Nothing but these settings: an unknown one would keep it from starting."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}
        return others | self.settings

    def start(self) -> None:
        command = ["sh", "-c", SUPERVISOR, "supervisor", SERVER, "--data", self._folder.name, "serve", "--dev"]
        with Path(self._folder.name, "log").open("a") as log:
            self._supervisor = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment(),
                start_new_session=True,
            )
        assert self._supervisor.stdout is not None
        self.pid = int(self._supervisor.stdout.readline())
        wait_for(lambda: self._answers() or not self._is_alive(), "Tenure to answer")
        if not self._is_alive():
            self.kill()
            raise AssertionError(self.log())

    def _answers(self) -> bool:
        try:
            return urllib3.request("GET", f"{self.url}/api/v1/system/status", retries=False, timeout=1).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _is_alive(self) -> bool:
        try:
            return "Z" not in Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1][:3]
        except OSError:
            return False

    def log(self) -> str:
        return Path(self._folder.name, "log").read_text()

    def kill(self) -> None:
        assert self._supervisor is not None
        self._supervisor.communicate()

    def hold(self) -> None:
        """It stops where it is and keeps its connections. A signal takes a moment to reach all of its threads."""
        os.kill(self.pid, signal.SIGSTOP)
        stats = [path / "stat" for path in Path(f"/proc/{self.pid}/task").iterdir()]
        wait_for(lambda: all(" T " in stat.read_text() for stat in stats), "it to stop")

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        self.kill()
        self._folder.cleanup()

    def run(self, *arguments: str, text: str = "") -> str:
        """The command line, on the same files."""
        command = [SERVER, "--data", self._folder.name, *arguments, "--dev"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, env=self._environment(), check=False)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout


class Testbed(Tenure):
    """The same server, on a clock that is ahead of ours by as much as a test says. It runs as ours does."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead
        self._control = ""
        self._ended = threading.Event()
        self._ticking = threading.Thread(target=self._tick, daemon=True)
        super().__init__()

    def start(self) -> None:
        command = [TESTBED, "--data", self._folder.name, "--start", str(self._now())]
        command += ["--listen", f"127.0.0.1:{self.port}", "--set", "limits.sign_in_per_address_per_minute=100000"]
        with Path(self._folder.name, "log").open("a") as log:
            self._supervisor = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment()
            )
        assert self._supervisor.stdout is not None
        self._control = json.loads(self._supervisor.stdout.readline())["control"]
        self._ticking.start()

    def leap(self, seconds: float) -> None:
        self._ahead += seconds
        self.order("clock", {"set": self._now()})

    def order(self, path: str, body: object) -> None:
        answer = urllib3.request("POST", f"{self._control}/{path}", json=body, retries=False)
        assert answer.status == 200, answer.data

    def end(self) -> None:
        self._ended.set()
        self._ticking.join()
        super().end()

    def _now(self) -> int:
        return int((time.time() + self._ahead) * 1000)

    def _tick(self) -> None:
        while not self._ended.wait(0.05):
            self.order("clock", {"set": self._now()})


def wait_for(condition: object, what: str, patience: float = PATIENCE) -> None:
    assert callable(condition)
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
