"""`make chart-full`: what needs root, minutes, or an image, and is therefore run by hand."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chart.full import cluster_run, image_run
from tests.chart.full.log import RunLog, Wrong
from tests.chart.toolchain import ToolFailure


def main(arguments: list[str]) -> int:
    """Exit code 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.chart.full")
    parser.add_argument("what", choices=["image", "cluster"])
    parser.add_argument("--image", type=Path, help="a folder that `buildah push IMAGE oci:FOLDER` wrote")
    parser.add_argument("--log", type=Path, help="keep what is said in this file")
    options = parser.parse_args(arguments)
    log = RunLog(options.log)
    folder = Path(tempfile.mkdtemp(prefix="penstock-chart-"))
    try:
        if options.what == "cluster":
            cluster_run.run(folder, log)
        elif options.image is None:
            parser.error("--image: which one?")
        else:
            image_run.run(options.image.absolute(), folder, log)
    except (Wrong, ToolFailure, TimeoutError) as wrong:
        log.say(f"WRONG: {wrong}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    log.say("all as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
