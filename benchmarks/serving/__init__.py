"""This server and the field's, on the same models and machine, in one interleaved run.

    .venv/bin/python -m benchmarks.serving compare [--out FILE]   speed, against the goals
    .venv/bin/python -m benchmarks.serving scale [--out FILE]     processes, models, open connections
    .venv/bin/python -m benchmarks.serving stacks [--out FILE]    HTTP stacks, micro-batching and JSON codecs
    .venv/bin/python -m benchmarks.serving compare --rounds 1 --seconds 1 --servers trivet mlserver   a quick look

Needs `wrk` and two cores, and makes the peers' environments first (tools/environments.py). A full comparison takes
about half an hour on a quiet machine. `--help` lists what can be chosen.

Each round starts every server in turn on one core, asks it for what scikit-learn says of the same rows (a wrong answer
ends the run), then has `wrk` send it 16 different bodies in turn from another core. What is reported are medians over
the rounds. CPU is that of the server's whole process tree, memory its PSS; a request is one that was answered with 2xx,
all others are counted and printed.
"""
