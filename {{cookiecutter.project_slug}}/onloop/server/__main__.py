"""`python -m onloop.server`: uvicorn's own command line, with the defaults of `onloop`."""

import uvicorn

from onloop.server import OPTIONS
from onloop.server.open_files import raise_open_files_limit

if __name__ == "__main__":
    raise_open_files_limit()
    # https://click.palletsprojects.com/en/stable/api/#click.Context.default_map
    uvicorn.main(default_map=OPTIONS)
