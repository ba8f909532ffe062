"""The pipelines in mingo, the best-known implementation of the language outside the server, on Node.

For the record only: where Node or npm or the network is missing, there are no figures.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

VERSION: Final = "7.2.7"
INSTALL_SECONDS: Final = 60
RUN_SECONDS: Final = 300
_SCRIPT: Final = Path(__file__).with_name("mingo.mjs")


def measured(
    pipelines: Mapping[str, Any], values: Sequence[bytes], rounds: int
) -> tuple[dict[str, float | str], str]:
    """Microseconds of CPU a document by pipeline (or why there are none), and a sentence about the run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return {}, "mingo was not measured: no node or no npm here."
    with tempfile.TemporaryDirectory(prefix="penstock-mingo-") as place:
        folder = Path(place)
        (folder / "package.json").write_text('{"private": true}')
        (folder / "pipelines.json").write_text(json.dumps(pipelines))
        (folder / "documents.jsonl").write_bytes(b"\n".join(values) + b"\n")
        install = [npm, "install", "--silent", "--no-audit", "--no-fund", f"mingo@{VERSION}"]
        try:
            subprocess.run(install, cwd=folder, check=True, timeout=INSTALL_SECONDS, capture_output=True)
            ran = subprocess.run(
                [node, str(_SCRIPT), str(folder), str(rounds)],
                check=True, timeout=RUN_SECONDS, capture_output=True, text=True,
            )  # fmt: skip
        except (subprocess.SubprocessError, OSError) as error:
            return {}, f"mingo was not measured: {type(error).__name__}."
        found: dict[str, float | str] = json.loads(ran.stdout)
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return found, (
        f"mingo {VERSION} on Node {version}: JSON.parse, the pipeline, JSON.stringify; CPU of the process. "
        "Its dates are written as plain strings."
    )
