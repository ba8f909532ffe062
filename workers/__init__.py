"""The data plane of Penstock and the programs around it. See shared layout in CONTRIBUTING.md."""
