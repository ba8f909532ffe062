"""What each operator takes and gives, as far as making sensible calls needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Each line: operator, what it gives, its arguments. `kind` is positional, `kind?` optional, `kind*` repeated,
# `name:kind` and `name?:kind` are named; `kind[x,y]` binds variables x and y within.
_TABLE: Final = """
$add num num*
$add date date int
$subtract num num num
$subtract num date date
$subtract date date int
$multiply num num*
$divide num num num
$mod num num num
$abs num num
$ceil num num
$floor num num
$round num num place?
$trunc num num place?
$pow num num num
$sqrt num num
$ln num num
$log10 num num
$log num num num
$exp num num
$sin num num
$cos num num
$tan num num
$asin num num
$acos num num
$atan num num
$atan2 num num num
$sinh num num
$cosh num num
$tanh num num
$asinh num num
$acosh num num
$atanh num num
$degreesToRadians num num
$radiansToDegrees num num
$and bool any*
$or bool any*
$not bool any
$eq bool any any
$ne bool any any
$lt bool any any
$lte bool any any
$gt bool num num
$gte bool any any
$cmp num any any
$cond any bool any any
$cond num if:any then:num else:num
$ifNull any any any*
$switch any any any any? any?
$switch str any str default:str
$literal any any
$let any v:any in:any[v]
$map arr input:arr in:any[this]
$filter arr input:arr cond:bool[this] limit?:count
$reduce any input:arr initialValue:any in:any[this,value]
$reduce num input:arr initialValue:num in:num[this,value]
$arrayElemAt any arr int
$first any arr
$last any arr
$concatArrays arr arr*
$in bool any arr
$indexOfArray num arr any index? index?
$isArray bool any
$range arr int int count?
$reverseArray arr arr
$size num arr
$slice arr arr int
$slice arr arr int count
$arrayToObject obj arr
$zip arr arr*
$sortArray arr input:arr sortBy:order
$firstN arr n:count input:arr
$lastN arr n:count input:arr
$maxN arr n:count input:arr
$minN arr n:count input:arr
$allElementsTrue bool arr
$anyElementTrue bool arr
$setEquals bool arr arr
$setIntersection arr arr*
$setUnion arr arr*
$setDifference arr arr arr
$setIsSubset bool arr arr
$mergeObjects obj obj*
$objectToArray arr obj
$getField any field:name input:obj
$setField obj field:name input:obj value:any
$unsetField obj field:name input:obj
$bsonSize num obj
$binarySize num str
$bitAnd num int*
$bitOr num int*
$bitXor num int*
$bitNot num int
$sum num num*
$sum num arr
$avg num num*
$avg num arr
$max any any*
$max any arr
$min any any*
$min any arr
$stdDevPop num arr
$stdDevSamp num arr
$percentile arr input:arr p:shares method:method
$median num input:arr method:method
$concat str str*
$toUpper str str
$toLower str str
$split arr str str
$strLenCP num str
$strLenBytes num str
$strcasecmp num str str
$substr str str index int
$substrBytes str str index int
$substrCP str str index index
$indexOfBytes num str str index? index?
$indexOfCP num str str index? index?
$trim str input:str chars?:str
$ltrim str input:str chars?:str
$rtrim str input:str chars?:str
$replaceOne str input:str find:str replacement:str
$replaceAll str input:str find:str replacement:str
$regexMatch bool input:str regex:regex options?:options
$regexFind obj input:str regex:regex options?:options
$regexFindAll arr input:str regex:regex options?:options
$year num date
$year num date:date timezone?:zone
$month num date:date timezone?:zone
$dayOfMonth num date:date timezone?:zone
$dayOfYear num date:date timezone?:zone
$dayOfWeek num date:date timezone?:zone
$isoDayOfWeek num date:date timezone?:zone
$week num date:date timezone?:zone
$isoWeek num date:date timezone?:zone
$isoWeekYear num date:date timezone?:zone
$hour num date:date timezone?:zone
$minute num date:date timezone?:zone
$second num date
$millisecond num date
$dateToParts obj date:date timezone?:zone iso8601?:flag
$dateFromParts date year:years month?:part day?:part hour?:part minute?:part second?:part timezone?:zone
$dateFromParts date isoWeekYear:years isoWeek?:part isoDayOfWeek?:part millisecond?:part timezone?:zone
$dateToString str date:date format?:format timezone?:zone onNull?:any
$dateFromString date dateString:str format?:parse timezone?:zone onError?:any onNull?:any
$dateAdd date startDate:date unit:unit amount:int timezone?:zone
$dateSubtract date startDate:date unit:unit amount:int timezone?:zone
$dateDiff num startDate:date endDate:date unit:unit timezone?:zone startOfWeek?:day
$dateTrunc date date:date unit:unit binSize?:count timezone?:zone startOfWeek?:day
$convert any input:any to:to onError?:any onNull?:any
$toBool bool any
$toInt num any
$toLong num any
$toDouble num any
$toDecimal num any
$toDate date any
$toObjectId any str
$toString str any
$toUUID any str
$isNumber bool any
$type str any
"""


@dataclass(frozen=True)
class Part:
    """One argument: its kind, its name when it has one, the variables bound within."""

    kind: str
    name: str
    is_optional: bool
    is_repeated: bool
    binds: tuple[str, ...]


@dataclass(frozen=True)
class Form:
    """One way to call one operator."""

    name: str
    result: str
    parts: tuple[Part, ...]

    @property
    def is_bare(self) -> bool:
        """Whether the one argument may stand without an array around it."""
        return len(self.parts) == 1 and not self.parts[0].is_repeated


def _part(text: str) -> Part:
    text, _, bound = text.removesuffix("]").partition("[")
    name, _, rest = text.rpartition(":")
    is_optional = name.endswith("?") or rest.endswith("?")
    return Part(
        rest.rstrip("?*"),
        name.rstrip("?"),
        is_optional,
        rest.endswith("*"),
        tuple(filter(None, bound.split(","))),
    )


def _form(line: str) -> Form:
    name, result, *parts = line.split()
    return Form(name, result, tuple(_part(text) for text in parts))


FORMS: Final = tuple(_form(line) for line in _TABLE.strip().splitlines())
