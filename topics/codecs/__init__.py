"""Bytes of a record to values and back: JSON with Extended JSON for the BSON types. Pure.

A decoded value is made of dict, list, str, int, float, bool, None and, where Extended JSON named one, of
`bson.Int64`, `bson.Decimal128`, `bson.ObjectId`, `bson.Timestamp`, `bson.Regex`, `bson.Code`, `bson.MinKey`,
`bson.MaxKey`, `bson.Binary` (`bytes` where the subtype is 0), aware UTC `datetime`, and
`bson.datetime_ms.DatetimeMS` for dates outside the years 1 to 9999. A UUID is a `bson.Binary` of subtype 4.
"""

from topics.codecs.errors import CodecError, Kind, NotADocument, NotEncodable
from topics.codecs.formats import DateFormat, OutputFormat, encoder
from topics.codecs.json import (
    MAX_DEPTH,
    MAX_VALUE_BYTES,
    decode,
    decode_many,
    decode_value,
    encode,
    encode_canonical,
    encode_value,
    is_relaxed,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_VALUE_BYTES",
    "CodecError",
    "DateFormat",
    "Kind",
    "NotADocument",
    "NotEncodable",
    "OutputFormat",
    "decode",
    "decode_many",
    "decode_value",
    "encode",
    "encode_canonical",
    "encode_value",
    "encoder",
    "is_relaxed",
]
