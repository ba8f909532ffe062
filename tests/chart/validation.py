"""A process of its own for kubernetes-validate, whose dependencies are not those of this project.

Standard input: JSON, {version of Kubernetes: [resource, ...]}. Standard output: JSON, a list of complaints.
"""

from __future__ import annotations

import functools
import json
import sys
from typing import Any


def complaint(validate: Any, document: dict[str, Any], version: str) -> str | None:
    """What is wrong with one resource, or None."""
    try:
        validate.validate(document, version, strict=True)
    except validate.ValidationError as error:
        where = ".".join(map(str, error.path))
        found = f"{where}: {error.message}"
    except (validate.SchemaNotFoundError, validate.VersionNotSupportedError) as error:
        found = error.message
    else:
        return None
    return f"{document['kind']}/{document['metadata']['name']} on {version}: {found}"


def main() -> None:
    """Judge all that comes in."""
    from kubernetes_validate import utils as validate

    validate.schema_contents = functools.cache(validate.schema_contents)
    wanted = json.load(sys.stdin)
    every = (complaint(validate, one, version) for version, found in wanted.items() for one in found)
    json.dump([said for said in every if said], sys.stdout)


if __name__ == "__main__":
    main()
