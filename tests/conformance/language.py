"""Names that MongoDB's language has, so that an operator we lack is told apart from one that nobody has."""

from __future__ import annotations

from typing import Final

EXPRESSIONS: Final = """
abs accumulator acos acosh add addToSet allElementsTrue and anyElementTrue arrayElemAt arrayToObject asin
asinh atan atan2 atanh avg binarySize bitAnd bitNot bitOr bitXor bottom bottomN bsonSize ceil cmp concat
concatArrays cond convert cos cosh count createUUID currentDate dateAdd dateDiff dateFromParts
dateFromString dateSubtract dateToParts dateToString dateTrunc dayOfMonth dayOfWeek dayOfYear
degreesToRadians denseRank derivative divide documentNumber encStrContains encStrEndsWith encStrNormalizedEq
encStrStartsWith eq exp expMovingAvg filter first firstN floor function getField gt gte hash hexHash hour
ifNull in indexOfArray indexOfBytes indexOfCP integral isArray isNumber isoDayOfWeek isoWeek isoWeekYear
last lastN let linearFill literal ln locf log log10 lt lte ltrim map max maxN median mergeObjects meta
millisecond min minMaxScaler minN minute mod month multiply ne not objectToArray or percentile pow push
radiansToDegrees rand range rank reduce regexFind regexFindAll regexMatch replaceAll replaceOne reverseArray
round rtrim sampleRate second setDifference setEquals setField setIntersection setIsSubset setUnion shift
sigmoid sin sinh size slice sortArray split sqrt stdDevPop stdDevSamp strLenBytes strLenCP strcasecmp
subtype substr substrBytes substrCP subtract sum switch tan tanh toArray toBool toDate toDecimal toDouble
toHashedIndexKey toInt toLong toLower toObject toObjectId toString toUUID toUpper top topN trim trunc
tsIncrement tsSecond type unsetField week year zip similarityCosine similarityDotProduct similarityEuclidean
""".split()

STAGES: Final = """
addFields bucket bucketAuto changeStream collStats count densify documents externalFunction emit facet fill
geoNear graphLookup group hoppingWindow https indexStats limit listSessions lookup match merge out
planCacheStats project rankFusion redact replaceRoot replaceWith sample scoreFusion search sessionWindow set
setStreamMeta setWindowFields skip sort sortByCount source tumblingWindow unionWith unset unwind validate
vectorSearch cachedLookup throttle
""".split()

QUERY: Final = """
all alwaysFalse alwaysTrue and bitsAllClear bitsAllSet bitsAnyClear bitsAnySet comment elemMatch eq exists
expr geoIntersects geoWithin gt gte in jsonSchema lt lte mod ne near nearSphere nin nor not options or regex
sampleRate size text type where
""".split()

OPERATOR_NAMES: Final = frozenset(f"${name}" for name in (*EXPRESSIONS, *STAGES, *QUERY))
