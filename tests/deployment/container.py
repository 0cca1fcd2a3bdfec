"""A Dockerfile built and run as it stands, by chroot and namespaces instead of Docker.

A stage is a folder: the output of its instructions, a copy of /etc, and mounts of this machine's
other folders, with the Python of these tests at /usr/local, where the base image has its own. A
container has its own process ids, network and mounts; its file system is read-only except for /tmp
and a volume at /data, and its processes have no capabilities.
"""

import fnmatch
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
NAMESPACES = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
MACHINE = [path for name in ("bin", "dev", "lib", "lib64", "opt", "sbin", "usr")
           if (path := Path("/", name)).exists()]  # fmt: skip
BUILD = f"""
set -e
stage=$1; shift
mount --bind "$stage" "$stage"
for folder in {" ".join(path.name for path in MACHINE if not path.is_symlink())} proc; do
    mount --rbind "/$folder" "$stage/$folder"
done
mount --bind '{sys.base_prefix}' "$stage/usr/local"
mount -t tmpfs tmpfs "$stage/tmp"
"""
RUN = f"""
volume=$1; shift
read -r pid rest < /proc/self/stat
echo "$pid"
{BUILD}
mount -t proc proc "$stage/proc"
chown --reference "$stage/data" "$volume"
mount --bind "$volume" "$stage/data"
mount -o remount,bind,ro "$stage"
ip link set lo up
"""
ENTER = 'exec chroot "$stage" "$@"'


@dataclass
class Stage:
    """The output of one stage's instructions. That of the last stage is the image."""

    folder: Path
    environment: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    )
    workdir: str = "/"
    user: str = ""
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the folder as a base image has it."""
        self.folder.mkdir(parents=True)
        for path in MACHINE:
            if path.is_symlink():
                (self.folder / path.name).symlink_to(path.readlink())
            else:
                (self.folder / path.name).mkdir()
        (self.folder / "proc").mkdir()
        (self.folder / "tmp").mkdir()
        as_root("cp", "--archive", "/etc", str(self.folder))
        as_root("cp", "--remove-destination", "/etc/resolv.conf", f"{self.folder}/etc/resolv.conf")

    def path(self, name: str) -> Path:
        """Return where this machine has a path of the stage."""
        return self.folder / os.path.normpath(Path(self.workdir, name)).lstrip("/")

    def process(self, *command: str, **variables: str) -> list[str]:
        """Return the command that runs `command` in the stage as its user, with its environment."""
        environment = [f"{name}={value}" for name, value in (self.environment | variables).items()]
        process = ["env", "--ignore-environment", f"--chdir={self.workdir}", *environment, *command]
        if not self.user:
            return process
        uid, gid = self.user.split(":")
        user = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"]
        return ["setpriv", *user, "--inh-caps=-all", "--bounding-set=-all", *process]

    def run(self, *command: str, **variables: str) -> None:
        """Run a command while the stage is built."""
        script = ["unshare", "--mount", "sh", "-c", BUILD + ENTER, "sh", str(self.folder)]
        as_root(*script, *self.process(*command, **variables))


@dataclass
class Container:
    """A running container, and its output once it has ended."""

    image: Stage
    process: subprocess.Popen[str]
    pid: int
    variables: dict[str, str]
    output: str = ""

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as `docker exec` does."""
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--root"]
        return subprocess.run(
            [*AS_ROOT, *inside, *self.image.process(*command, **self.variables)],
            capture_output=True,
            text=True,
            check=False,
        )

    def send(self, signal: str) -> None:
        """Send a signal to process 1."""
        as_root("kill", f"-{signal}", str(self.pid))

    def wait(self) -> int:
        """Wait for it to exit, read its output, and return its exit status."""
        self.output, _ = self.process.communicate()
        return self.process.returncode


@contextmanager
def container(image: Stage, volume: Path, *command: str, **variables: str) -> Iterator[Container]:
    """Run the image's command, or another, until the end of the block."""
    volume.mkdir(exist_ok=True)
    script = [*NAMESPACES, "sh", "-c", RUN + ENTER, "sh", str(volume), str(image.folder)]
    process = subprocess.Popen(
        [*AS_ROOT, *script, *image.process(*(command or image.command), **variables)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    running = Container(image, process, int(process.stdout.readline()), variables)
    try:
        yield running
    finally:
        if process.poll() is None:
            running.send("KILL")
            running.wait()


def missing() -> str:
    """Return what this machine lacks to build and run an image; empty if nothing."""
    if sys.platform != "linux":
        return "Only Linux has namespaces."
    attempt = subprocess.run(
        [*AS_ROOT, *NAMESPACES, "ip", "link", "set", "lo", "up"],
        capture_output=True,
        text=True,
        check=False,
    )
    return attempt.stderr


def build(context: Path, folder: Path, **arguments: str) -> Stage:
    """Follow the Dockerfile of `context`; each stage gets its own folder in `folder`.

    Returns the last stage, which is the image.

    Raises:
        AssertionError: a command failed; the message holds all it printed.
        NotImplementedError: the Dockerfile has an unsupported instruction.
    """
    stages: dict[str, Stage] = {}
    for instruction, rest in instructions(context / "Dockerfile"):
        match instruction:
            case "FROM":
                name = rest.partition(" AS ")[2] or "image"
                stages[name] = stage = Stage(folder / name)
                values: dict[str, str] = {}
                stage.run("ldconfig")
            case "ARG" if stages:
                name, _, default = rest.partition("=")
                if value := arguments.get(name) or default.strip('"'):
                    values[name] = value
            case "ENV":
                for name, value in re.findall(r"(\w+)=(\S+)", rest):
                    stage.environment[name] = value.replace("$PATH", stage.environment["PATH"])
            case "WORKDIR":
                stage.workdir = rest
                as_root("mkdir", "--parents", str(stage.path(".")))
            case "COPY" if rest.startswith("--from="):
                name, source, target = rest.removeprefix("--from=").split()
                as_root("cp", "-rpPT", str(stages[name].path(source)), str(stage.path(target)))
            case "COPY":
                *sources, target = rest.split()
                for source in sources:
                    copy(context, source, stage.path(target))
            case "RUN":
                stage.run("sh", "-c", rest, **values)
            case "USER":
                stage.user = rest
            case "CMD":
                stage.command = json.loads(rest)
            case "HEALTHCHECK":
                stage.healthcheck = json.loads(rest.partition(" CMD ")[2])
            case "ARG" | "LABEL" | "EXPOSE":
                pass
            case _:
                raise NotImplementedError(instruction)
    return stage


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, each with its arguments on one line."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [
        (name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line)
    ]


def copy(context: Path, source: str, target: Path) -> None:
    """Copy a file or folder of the context, without what .dockerignore names."""
    patterns = [
        line
        for line in (context / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    for path in [context / source, *(context / source).rglob("*")]:
        name = path.relative_to(context)
        if path.is_file() and not any(ignored(name, pattern) for pattern in patterns):
            as_root(
                "install",
                "-D",
                "--mode=644",
                "--preserve-timestamps",
                str(path),
                str(target / name),
            )


def ignored(path: Path, pattern: str) -> bool:
    """Return whether a pattern of .dockerignore matches the path or a folder above it.

    `**/` at the start of a pattern matches any folder; a pattern without it is relative to the
    root of the context: https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    parts = path.parts if pattern.startswith("**/") else path.parts[:1]
    return any(fnmatch.fnmatchcase(part, pattern.removeprefix("**/")) for part in parts)


def as_root(*command: str) -> None:
    """Run a command as root.

    Raises:
        AssertionError: it failed; the message holds all it printed.
    """
    done = subprocess.run(
        [*AS_ROOT, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"
