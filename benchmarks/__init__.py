"""Side-by-side measurements of the rendered project: one command, one table.

python -m benchmarks --project PATH_TO_RENDERED_PROJECT
"""
