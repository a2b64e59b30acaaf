"""What jobs of these tests run: does what its one argument says, and tells where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    wanted = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    if "deaf" in wanted:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("left in order"))
    if "say" in wanted:
        say(wanted["say"])
    if "child" in wanted:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if "read" in wanted:
        say(Path(wanted["read"]).read_text())
    if "write" in wanted:
        (Path(wanted["write"]) / "said.json").write_text(json.dumps(seen()))
    if "keep" in wanted:
        Path("outputs").mkdir()
        Path("outputs/kept.txt").write_text(wanted["keep"])
    if "obstore" in wanted:
        import obstore
        from obstore.store import from_url

        obstore.put(from_url(wanted["obstore"]), "own.txt", b"from the job")
    if "until" in wanted:
        await_blob(wanted["until"])
    if "sleep" in wanted:
        time.sleep(float(wanted["sleep"]))
    return int(wanted.get("exit", 0))


def await_blob(url: str) -> None:
    import obstore
    from obstore.store import from_url

    while not obstore.list(from_url(url)).collect():
        time.sleep(0.05)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def seen() -> dict[str, object]:
    return {"argv": sys.argv[1:], "environment": dict(os.environ), "pid": os.getpid()}


if __name__ == "__main__":
    sys.exit(main())
