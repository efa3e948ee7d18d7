"""Servers and loads that tests/bench/run and tests/bench/soak have in common."""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
BINARIES = REPOSITORY / "build/release/bin"
STOP_SECONDS = 30


class BenchError(Exception):
    """One line that names the thing, the reason and the remedy."""


def build():
    log = REPOSITORY / "build/logs/bench-build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as out:
        for command in (["cmake", "--preset", "release"],
                        ["cmake", "--build", "--preset", "release", "--target", "bench"]):
            if subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=out,
                              stderr=out, check=False).returncode != 0:
                raise BenchError(f"the build failed; its whole log is {log}")


class Daemon:
    """A hallmarkd with a fresh token, set up as quickstart does; removed on close."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="hallmark-bench-"))
        try:
            self._quickstart("--grpc-port", "0", "--detach")
            self.environment = self._read_environment()
            self.pid = int((self.home / "hallmarkd.pid").read_text())
        except BaseException:
            self.close()
            raise

    def close(self):
        with contextlib.suppress(BenchError):
            self._quickstart("--stop")
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def target(self):
        return self.environment["HALLMARK_TARGET"]

    @property
    def aws_target(self):
        return self.environment["AWS_ENDPOINT_URL"].removeprefix("https://")

    @property
    def metrics_url(self):
        address = self.environment["HALLMARK_METRICS_URL"]
        return address if address.startswith("http") else f"http://{address}/metrics"

    def _quickstart(self, *options):
        done = subprocess.run([REPOSITORY / "deploy/quickstart", "--home", self.home, *options],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise BenchError(f"quickstart {' '.join(options)}: {done.stderr.strip()}")

    def _read_environment(self):
        values = {}
        for line in (self.home / "env").read_text(encoding="utf-8").splitlines():
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                values[name] = shlex.split(value)[0]
        return values


class BareServer:
    """The yardstick, with the daemon's certificates and a token of its own."""

    def __init__(self, daemon, queues, threads):
        self._process = subprocess.Popen(
            [BINARIES / "bench_bare_server", "--tls", daemon.home / "tls",
             "--queues", str(queues), "--threads", str(threads)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self.target = self._process.stdout.readline().strip()
        if not self.target:
            self.close()
            raise BenchError("the bare server did not start; its reason is above")

    def close(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def load_command(daemon, server, callers, *plan):
    environment = daemon.environment
    return [BINARIES / "bench_load", "--target", server.target,
            "--cert", environment["HALLMARK_CERT"], "--key", environment["HALLMARK_KEY"],
            "--channels", str(min(callers, 4)), *_plan(daemon, server, callers, *plan)]


def aws_load_command(daemon, *plan):
    return [BINARIES / "bench_aws_load", "--target", daemon.aws_target,
            "--credentials", daemon.environment["AWS_SHARED_CREDENTIALS_FILE"],
            "--profile", daemon.environment["AWS_PROFILE"],
            *_plan(daemon, daemon, *plan)]


def _plan(daemon, server, callers, seconds, warm_up, message_bytes=32):
    return ["--server-pid", str(server.pid), "--ca", daemon.environment["HALLMARK_CA"],
            "--callers", str(callers), "--seconds", str(seconds), "--warm-up", str(warm_up),
            "--message-bytes", str(message_bytes)]


def run_json(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        raise BenchError(f"{pathlib.Path(command[0]).name} ended with {done.returncode}; its reason "
                         "is above")
    return json.loads(done.stdout)


def run_main(main):
    """Runs `main` so that SIGTERM unwinds it like Ctrl-C does, and nothing is left running."""
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
