"""The `format` keyword as assertions: expressions over a column of text.

Checked, strictly by the grammar that JSON Schema 2020-12 (validation, section 7.3) names for each: `date-time`,
`date`, `time` (RFC 3339), `duration` (RFC 3339, appendix A), `email` (RFC 5321), `hostname` (RFC 1123), `ipv4`
(RFC 2673), `ipv6` (RFC 4291), `uri` (RFC 3986), `uuid` (RFC 4122). Any other format is an annotation and refuses
nothing.
"""

import ipaddress
from collections.abc import Callable
from typing import Final

import polars as pl

_OFFSET: Final = r"(?:[zZ]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?" + _OFFSET
_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

_SECONDS: Final = r"[0-9]+S"
_MINUTES: Final = rf"[0-9]+M(?:{_SECONDS})?"
_CLOCK: Final = rf"T(?:[0-9]+H(?:{_MINUTES})?|{_MINUTES}|{_SECONDS})"
_MONTHS: Final = r"[0-9]+M(?:[0-9]+D)?"
_DURATION: Final = rf"P(?:(?:[0-9]+Y(?:{_MONTHS})?|{_MONTHS}|[0-9]+D)(?:{_CLOCK})?|{_CLOCK}|[0-9]+W)"

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = rf"{_LABEL}(?:\.{_LABEL})*"
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED: Final = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"'
_EMAIL: Final = rf"(?:{_ATOM}(?:\.{_ATOM})*|{_QUOTED})@(?:{_HOST}|\[(?:{_IPV4}|IPv6:[0-9A-Fa-f:.]+)\])"

_PERCENT: Final = r"%[0-9A-Fa-f]{2}"
_NAME: Final = rf"(?:[A-Za-z0-9._~!$&'()*+,;=-]|{_PERCENT})"
_PCHAR: Final = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|{_PERCENT})"
_SEGMENTS: Final = rf"(?:/{_PCHAR}*)*"
_AUTHORITY: Final = rf"(?:(?:{_NAME}|:)*@)?(?:\[[0-9A-Fa-fvV:.]+\]|{_NAME}*)(?::[0-9]*)?"
_HIERARCHY: Final = rf"(?://{_AUTHORITY}{_SEGMENTS}|/(?:{_PCHAR}+{_SEGMENTS})?|{_PCHAR}+{_SEGMENTS}|)"
_REST: Final = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_URI: Final = rf"[A-Za-z][A-Za-z0-9+.-]*:{_HIERARCHY}{_REST}"

_UUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


def _whole(regex: str) -> Callable[[pl.Expr], pl.Expr]:
    return lambda text: text.str.contains(f"^(?:{regex})$")


def _date(text: pl.Expr) -> pl.Expr:
    return text.str.contains(f"^{_DATE}$") & _in_calendar(text)


def _in_calendar(text: pl.Expr) -> pl.Expr:
    return text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).is_not_null()


def _time(text: pl.Expr) -> pl.Expr:
    return text.str.contains(f"^{_TIME}$") & _leap_second_at_midnight(text)


def _date_time(text: pl.Expr) -> pl.Expr:
    clock = text.str.slice(11)
    return text.str.contains(f"^{_DATE}[tT]{_TIME}$") & _in_calendar(text) & _leap_second_at_midnight(clock)


def _leap_second_at_midnight(clock: pl.Expr) -> pl.Expr:
    """A second 60 exists only at the end of a day in UTC (RFC 3339, section 5.7)."""
    minutes = _minutes(clock, 0)
    offset = clock.str.extract(r"([+-][0-9]{2}:[0-9]{2})$", 1)
    ahead = pl.when(offset.str.starts_with("-")).then(-1).otherwise(1) * _minutes(offset, 1)
    last = (minutes - ahead.fill_null(0)) % 1440 == 1439
    return (clock.str.slice(6, 2) != "60") | last


def _minutes(text: pl.Expr, start: int) -> pl.Expr:
    hours = text.str.slice(start, 2).cast(pl.Int32, strict=False)
    return hours * 60 + text.str.slice(start + 3, 2).cast(pl.Int32, strict=False)


def _hostname(text: pl.Expr) -> pl.Expr:
    return text.str.contains(f"^{_HOST}$") & (text.str.len_bytes() <= 253)


def _ipv6(text: pl.Expr) -> pl.Expr:
    def judge(column: pl.Series) -> pl.Series:
        return pl.Series([value is None or _is_ipv6(value) for value in column], dtype=pl.Boolean)

    return text.map_batches(judge, return_dtype=pl.Boolean)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


FORMATS: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "date-time": _date_time,
    "date": _date,
    "time": _time,
    "duration": _whole(_DURATION),
    "email": _whole(_EMAIL),
    "hostname": _hostname,
    "ipv4": _whole(_IPV4),
    "ipv6": _ipv6,
    "uri": _whole(_URI),
    "uuid": _whole(_UUID),
}
"""Formats that are checked: each takes a column of text and says which values have the format."""
