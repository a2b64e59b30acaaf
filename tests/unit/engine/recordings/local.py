"""The repository's own program, recorded."""

from __future__ import annotations

import recorder

recorder.record()

from trivet.infra.program import main  # noqa: E402

main()
