"""Names that MongoDB's language has, so that an operator we lack is told apart from one that nobody has."""

from __future__ import annotations

from typing import Final

_EXPRESSIONS: Final = """
abs acos acosh add allElementsTrue and anyElementTrue arrayElemAt arrayToObject asin asinh atan atan2
atanh avg binarySize bitAnd bitNot bitOr bitXor bsonSize ceil cmp concat concatArrays cond convert cos
cosh createObjectId createUUID currentDate dateAdd dateDiff dateFromParts dateFromString dateSubtract
dateToParts dateToString dateTrunc dayOfMonth dayOfWeek dayOfYear degreesToRadians deserializeEJSON divide
encStrContains encStrEndsWith encStrNormalizedEq encStrStartsWith eq exp filter first firstN floor
function getField gt gte hash hexHash hour ifNull in indexOfArray indexOfBytes indexOfCP isArray isNumber
isoDayOfWeek isoWeek isoWeekYear last lastN let literal ln log log10 lt lte ltrim map max maxN median
mergeObjects meta millisecond min minN minute mod month multiply ne not objectToArray or percentile pow
radiansToDegrees rand range reduce regexFind regexFindAll regexMatch replaceAll replaceOne reverseArray
round rtrim sampleRate second serializeEJSON setDifference setEquals setField setIntersection setIsSubset
setUnion sigmoid similarityCosine similarityDotProduct similarityEuclidean sin sinh size slice sortArray
split sqrt stdDevPop stdDevSamp strcasecmp strLenBytes strLenCP substr substrBytes substrCP subtract
subtype sum switch tan tanh toArray toBool toDate toDecimal toDouble toHashedIndexKey toInt toLong toLower
toObject toObjectId toString toUpper toUUID trim trunc tsIncrement tsSecond type unsetField week year zip
""".split()

_ACCUMULATORS: Final = """
accumulator addToSet bottom bottomN count denseRank derivative documentNumber expMovingAvg integral
linearFill locf minMaxScaler push rank shift top topN
""".split()

_STAGES: Final = """
addFields bucket bucketAuto changeStream collStats count densify documents externalFunction emit facet fill
geoNear graphLookup group hoppingWindow https indexStats limit listSessions lookup match merge out
planCacheStats project rankFusion redact replaceRoot replaceWith sample scoreFusion search sessionWindow set
setStreamMeta setWindowFields skip sort sortByCount source tumblingWindow unionWith unset unwind validate
vectorSearch cachedLookup throttle
""".split()

_QUERY: Final = """
all alwaysFalse alwaysTrue and bitsAllClear bitsAllSet bitsAnyClear bitsAnySet comment elemMatch eq exists
expr geoIntersects geoWithin gt gte in jsonSchema lt lte mod ne near nearSphere nin nor not options or regex
sampleRate size text type where
""".split()


def _dollar(*names: list[str]) -> frozenset[str]:
    return frozenset(f"${name}" for group in names for name in group)


EXPRESSION_NAMES: Final = _dollar(_EXPRESSIONS)
QUERY_NAMES: Final = _dollar(_QUERY)
STAGES_OF_THE_SERVER: Final = _dollar(_STAGES)
STAGE_NAMES: Final = _dollar(_STAGES, _EXPRESSIONS, _ACCUMULATORS, _QUERY)
