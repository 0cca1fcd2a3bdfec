"""A job that ends the process it runs in."""

import os
import signal

from django.tasks import task


@task
def kill_the_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
