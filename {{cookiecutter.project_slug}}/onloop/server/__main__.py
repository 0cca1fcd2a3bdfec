"""`python -m onloop.server`: uvicorn's own command line, with this project's defaults."""

import uvicorn

from onloop.server import APPLICATION, OPTIONS

if __name__ == "__main__":
    # https://click.palletsprojects.com/en/stable/api/#click.Context.default_map
    uvicorn.main(default_map={"app": APPLICATION, **OPTIONS})
