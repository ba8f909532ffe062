"""Topics as data: contracts, codecs, headers and their administration. Knows nothing of `workers`."""
