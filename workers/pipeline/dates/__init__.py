"""Dates as the expressions need them: calendar, time zones, arithmetic, text. Pure; the year may be any.

A date is milliseconds since the epoch here. A local time is what a wall clock shows: the milliseconds it
would be at if its zone were UTC. The calendar is the Gregorian one for all years, before 1583 too.
"""
