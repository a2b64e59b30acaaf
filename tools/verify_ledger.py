"""Check a ledger without Trivet: python verify_ledger.py LEDGER.db|EXPORT.jsonl [FOLDER-OF-ANCHORS]

Standard library only and no code of Trivet's, so that an auditor can read the whole proof. Entry n is good when it
names the hash of entry n - 1 and its own hash is the SHA-256 of its other fields as JSON with sorted keys and no
spaces. Anchors are files named <seq>-<hash>; without them a ledger that was cut at its end looks whole.
"""

import hashlib
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def lines(path):
    with path.open("rb") as file:
        if file.read(15) != b"SQLite format 3":
            file.seek(0)
            yield from (line.decode().removesuffix("\n") for line in file)
            return
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        for row in map(dict, database.execute("SELECT * FROM entries ORDER BY seq")):
            texts = {name: canonical(value) for name, value in row.items()} | {"body": row["body"]}
            yield "{" + ",".join(f'"{name}":{texts[name]}' for name in sorted(texts)) + "}"


def need(good, problem):
    if not good:
        raise ValueError(problem)


def check(path, anchors=None):
    hashes = ["sha256:" + "0" * 64]
    for number, line in enumerate(lines(path), start=1):
        entry = json.loads(line)
        rest = canonical({name: value for name, value in entry.items() if name != "hash"})
        need(line == canonical(entry), f"entry {number} is not written as an entry is")
        need((entry["seq"], entry["previous"]) == (number, hashes[-1]), f"entry {number} does not follow the last")
        need(entry["hash"] == "sha256:" + hashlib.sha256(rest.encode()).hexdigest(), f"entry {number} was changed")
        hashes.append(entry["hash"])
    for seq, digest in (anchor.name.split("-") for anchor in anchors.iterdir()) if anchors else ():
        need(hashes[int(seq) : int(seq) + 1] == [f"sha256:{digest}"], f"entry {int(seq)} is not as it was anchored")
    unanchored = "" if anchors else "; not compared with anchors, so entries may be missing at its end"
    return f"sound: {len(hashes) - 1} entries, head {hashes[-1]}{unanchored}\n"


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or not Path(sys.argv[1]).is_file():
        sys.exit("usage: " + str(__doc__).partition(": ")[2].partition("\n")[0])
    try:
        sys.stdout.write(check(*map(Path, sys.argv[1:3])))
    except (KeyError, TypeError, ValueError, sqlite3.Error) as problem:
        sys.exit(f"TAMPERED: {problem}")
