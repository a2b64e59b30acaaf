"""A store in a folder, for the ledger's anchors, and a writer; light to import, for processes of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from trivet.core.canonical import digest
from trivet.core.errors import NotFound
from trivet.core.files import write_atomic
from trivet.core.platform import Store
from trivet.governance.backends import backend_at
from trivet.governance.ledger import Ledger


class FolderStore(Store):
    """A store whose keys are paths in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, key: str, source: Path | bytes) -> str:
        data = source if isinstance(source, bytes) else source.read_bytes()
        write_atomic(self.folder / key, data)
        return digest(data)

    def create(self, key: str, data: bytes) -> bool:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    def get(self, key: str) -> bytes:
        try:
            return (self.folder / key).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no {key}.") from None

    def stream(self, key: str) -> Iterator[bytes]:
        yield self.get(key)

    def list(self, prefix: str) -> Sequence[str]:
        keys = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        return sorted(key for key in keys if key.startswith(prefix))

    def delete(self, key: str) -> None:
        (self.folder / key).unlink(missing_ok=True)


def append_entries(url: str, home: Path, store: Path, writer: int, count: int) -> None:
    """Append as one of several writers."""
    ledger = Ledger(backend_at(url, home), FolderStore(store))
    for number in range(count):
        ledger.append("run", f"writer {writer}", "loan", {"number": number})


def append_once(url: str, home: Path, store: Path) -> None:
    """Append what a resumed run would append again."""
    Ledger(backend_at(url, home), FolderStore(store)).append("release", "ada", "loan", {"version": 3}, once=True)
