#!/usr/bin/env python
"""Django's command-line utility for this project."""

import os
import sys

from django.core.management import execute_from_command_line

from onloop.env import InvalidSetting
from onloop.gc import pause_until_ready

pause_until_ready()


def main() -> None:
    """Run the command on the command line; exit with one sentence on a bad setting."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except InvalidSetting as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
