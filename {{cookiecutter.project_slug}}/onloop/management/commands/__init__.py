"""Commands for every project: `drop`, `eject`, `migrate`, `runserver` and others."""
