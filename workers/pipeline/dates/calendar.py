"""The proleptic Gregorian calendar on whole numbers, for years that Python's datetime does not have."""

from __future__ import annotations

from typing import Final, NamedTuple

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

DAYS_OF_400_YEARS: Final = 146_097
"""A whole number of weeks: dates repeat with their weekdays."""

# The day numbers of 0000-03-01 and of the Thursday 1970-01-01, for leap days that end a year and weeks.
_MARCH_OF_YEAR_0: Final = -719_468
_EPOCH_WEEKDAY: Final = 3

_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Fields(NamedTuple):
    """A date taken apart; `day_number` counts days since 1970-01-01."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    millisecond: int
    day_number: int


def is_leap(year: int) -> bool:
    """Whether the year has a 29 February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """28 to 31; the month is 1 to 12."""
    return 29 if month == 2 and is_leap(year) else _DAYS[month - 1]


def day_number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01. Months and days beyond their range carry over, below it too."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    # Years that begin in March: the leap day is their last, and five months always have 153 days.
    if month < 3:
        year -= 1
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month - 3) % 12) + 2) // 5
    of_era = of_era * 365 + of_era // 4 - of_era // 100 + of_year
    return era * DAYS_OF_400_YEARS + of_era + _MARCH_OF_YEAR_0 + day - 1


def civil(number: int) -> tuple[int, int, int]:
    """Year, month and day of a day number."""
    era, of_era = divmod(number - _MARCH_OF_YEAR_0, DAYS_OF_400_YEARS)
    # 4, 100 and 400 years that begin in March: 1460, 36524 and 146096 days before their own last leap day.
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    return era * 400 + year + (month >= 10), month + 3 if month < 10 else month - 9, day


def fields(local_ms: int) -> Fields:
    """The parts of a local time."""
    number, rest = divmod(local_ms, DAY_MS)
    seconds, millisecond = divmod(rest, 1_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return Fields(*civil(number), hour, minute, second, millisecond, number)


def local_ms(day: int, hour: int = 0, minute: int = 0, second: int = 0, millisecond: int = 0) -> int:
    """The local time on the day of that number; parts beyond their range carry over."""
    return day * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + millisecond


def weekday(number: int) -> int:
    """0 for Monday to 6 for Sunday."""
    return (number + _EPOCH_WEEKDAY) % 7


def day_of_year(year: int, number: int) -> int:
    """1 to 366."""
    return number - day_number(year, 1, 1) + 1


def week(year: int, number: int) -> int:
    """Weeks that begin on Sunday: 0 before the year's first Sunday, up to 53."""
    return (day_of_year(year, number) + 6 - (weekday(number) + 1) % 7) // 7


def iso_week(number: int) -> tuple[int, int]:
    """(ISO year, ISO week) of a day: a week belongs to the year of its Thursday."""
    thursday = number - weekday(number) + 3
    year = civil(thursday)[0]
    return year, (thursday - day_number(year, 1, 1)) // 7 + 1


def iso_day_number(year: int, week_number: int, day: int) -> int:
    """The day of an ISO year, week and weekday (1 is Monday); parts beyond their range carry over."""
    fourth = day_number(year, 1, 4)  # always in week 1
    return fourth - weekday(fourth) + 7 * (week_number - 1) + day - 1
