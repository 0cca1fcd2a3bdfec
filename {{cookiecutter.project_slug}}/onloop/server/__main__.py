"""`python -m onloop.server`: uvicorn's own command line, with the defaults of `onloop`."""

import uvicorn

from onloop.server import OPTIONS

if __name__ == "__main__":
    # https://click.palletsprojects.com/en/stable/api/#click.Context.default_map
    uvicorn.main(default_map=OPTIONS)
