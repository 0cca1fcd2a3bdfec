"""The CPU that an application takes to be imported, as a whole process."""

import subprocess
from functools import partial
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.lineup import RENDERED, ROOT, STOCK, Contender
from benchmarks.results import Figures, MeasurementError
from benchmarks.run import Run
from benchmarks.servers import environment, free_port, project_python

WORK = "start: import of the application, whole process"
FIGURE = "CPU ms"
IMPORTS = {
    STOCK: "from django.core.asgi import get_asgi_application; get_asgi_application()",
    RENDERED: "import config.asgi",
}
PROCESSES_PER_ROUND = 5


def start(run: Run) -> None:
    """`import config.asgi`, and what `startproject` has there.

    The first process of each is not counted: after it the modules are there as bytecode.
    """
    for contender in IMPORTS:
        import_cpu(run, contender, processes=1)
    measures = {contender.name: partial(import_cpu, run, contender) for contender in IMPORTS}
    run.interleave(WORK, measures)


def import_cpu(run: Run, contender: Contender, processes: int = PROCESSES_PER_ROUND) -> Figures:
    """CPU milliseconds of one process, user and system, on average.

    Raises `MeasurementError` when a process fails.
    """
    before = getrusage(RUSAGE_CHILDREN)
    for _ in range(processes):
        process = subprocess.run(
            [project_python(run.project), "-c", IMPORTS[contender]],
            cwd=run.project if contender.in_project_folder else ROOT,
            env=environment(contender, free_port(), upstream_url="", fan_out=1),
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            raise MeasurementError(process.stderr.strip().rpartition("\n")[2])
    after = getrusage(RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {FIGURE: 1000 * seconds / processes}
