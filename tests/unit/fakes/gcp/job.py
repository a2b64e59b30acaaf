"""What the training image of these tests runs: does what its one argument says, and tells where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

GCS = Path(os.environ.get("TRIVET_GCS", "/gcs"))


def main() -> int:
    wanted = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    if "deaf" in wanted:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: left())
    if "say" in wanted:
        say(wanted["say"])
    if "child" in wanted:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    kept = mounted(os.environ["AIP_CHECKPOINT_DIR"]) / "step" if "AIP_CHECKPOINT_DIR" in os.environ else None
    if "checkpoint" in wanted and kept is not None:
        before = int(kept.read_text()) if kept.exists() else 0
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(str(before + 1))
        say(f"begins at {before}")
        if before:
            wanted.pop("sleep", None)
    if "sleep" in wanted:
        time.sleep(float(wanted["sleep"]))
    if "AIP_MODEL_DIR" in os.environ:
        model = mounted(os.environ["AIP_MODEL_DIR"])
        model.mkdir(parents=True, exist_ok=True)
        (model / "said.json").write_text(json.dumps(seen()))
    if "remove" in wanted:
        (GCS / wanted["remove"]).unlink()
    if "obstore" in wanted:
        from obstore.store import from_url

        from_url(wanted["obstore"]).put("own.txt", b"from the job")
    if "signal" in wanted:
        signal.signal(wanted["signal"], signal.SIG_DFL)
        return 128 + wanted["signal"]
    return int(wanted.get("exit", 0))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def left() -> None:
    say("left in order")
    (mounted(os.environ["AIP_CHECKPOINT_DIR"]).parent / "left.txt").write_text("in order")
    sys.exit(0)


def mounted(uri: str) -> Path:
    """Where a ``gs://`` address is in the file system."""
    return GCS / uri.removeprefix("gs://")


def seen() -> dict[str, object]:
    files = {str(path.relative_to(GCS)): path.read_text() for path in sorted(GCS.rglob("*.csv"))}
    return {"argv": sys.argv[1:], "files": files, "environment": dict(os.environ), "pid": os.getpid()}


if __name__ == "__main__":
    sys.exit(main())
