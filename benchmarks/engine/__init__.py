"""What the embedded Pulumi engine costs: whole commands, against the SDK's own mocks and a real CLI where there is one.

    .venv/bin/python -m benchmarks.engine [--out FILE]                       all of it: about ten minutes
    .venv/bin/python -m benchmarks.engine --sizes 10 --kinds plugin --rounds 1   a quick look

Each figure is that of a process of its own, from its start to its end, in interleaved rounds: the driver, as `trivet`
calls it, that previews, ups, ups again and destroys a stack; and what any engine needs as well, which is

- `mocks`: the same program under the SDK's mocks, in one process and without gRPC;
- `echo`: the same program, run by the SDK's language host in a process of its own, against a resource monitor that
  gives back at once whatever it is told: what the SDK and gRPC take, whoever the engine is;
- `plugin`: the provider plugin from its start until it prints its port.

Every resource but the first takes an output of another, as a binary tree. CPU is that of the process and its children.
"""
