"""What the training image of these tests runs: does what its hyperparameters say, and tells where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ML = Path(os.environ.get("TRIVET_ML", "/opt/ml"))


def main() -> int:
    wanted = json.loads((ML / "input/config/hyperparameters.json").read_text())
    if "say" in wanted:
        say(wanted["say"])
    if "deaf" in wanted:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, left)
    if "child" in wanted:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    kept = ML / "checkpoints/step"
    if "checkpoint" in wanted:
        before = int(kept.read_text()) if kept.exists() else 0
        say(f"begins at {before}")
        kept.write_text(str(before + 1))
        if before:
            wanted.pop("sleep", None)
    if "sleep" in wanted:
        time.sleep(float(wanted["sleep"]))
    (ML / "model/said.json").write_text(json.dumps(seen()))
    (ML / "output/data/report.txt").write_text("fine")
    if "obstore" in wanted:
        put(wanted["obstore"])
    if "fail" in wanted:
        (ML / "output/failure").write_text(wanted["fail"])
        return 7
    return 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def left(*_: object) -> None:
    (ML / "model/left.txt").write_text("in order")
    sys.exit(0)


def put(url: str) -> None:
    from obstore.store import from_url

    from_url(url).put("own.txt", b"from the job")


def seen() -> dict[str, object]:
    config = {path.stem: json.loads(path.read_text()) for path in (ML / "input/config").glob("*.json")}
    data = {str(path.relative_to(ML)): path.read_text() for path in (ML / "input/data").rglob("*") if path.is_file()}
    return {"argv": sys.argv[1:], "config": config, "data": data, "environment": dict(os.environ), "pid": os.getpid()}


if __name__ == "__main__":
    sys.exit(main())
