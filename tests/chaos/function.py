"""The function of a chaos run as a process of its own: `python -m tests.chaos.function --seed 1` prints its
port."""

from __future__ import annotations

import argparse

import uvloop

from tests.chaos.fates import ChaosFunction
from tests.fakes.lambda_stub import LambdaStub, serve

FUNCTION = "chaos"


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    stub = LambdaStub()
    stub.plan(FUNCTION, ChaosFunction(parser.parse_args().seed))
    uvloop.run(serve(stub, 0))


if __name__ == "__main__":
    main()
