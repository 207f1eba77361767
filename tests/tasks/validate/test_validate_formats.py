"""The `format` keyword, by the grammars that JSON Schema names."""

import datetime
import ipaddress
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.validate.validator import RecordValidator

UNTIMED = settings(deadline=None, max_examples=60)


def fits(name: str, *texts: str) -> list[bool]:
    schema = RecordSchema(fields=(Field(name="a", format=name),))
    return RecordValidator(schema).check([{"a": text} for text in texts]).valid


GOOD = {
    "date": ["2024-02-29", "0001-01-01", "9999-12-31"],
    "date-time": [
        "2024-02-29T23:59:59Z",
        "2024-01-01t00:00:00.5+08:00",
        "1998-12-31T23:59:60Z",
        "1998-12-31T15:59:60-08:00",
    ],
    "time": ["00:00:00Z", "12:30:00.123456789-03:30", "23:59:60Z"],
    "duration": ["P3D", "PT1H30M", "P1Y2M3DT4H5M6S", "P2W", "PT36H"],
    "email": ["a@b", "first.last+tag@example.com", '"odd one"@example.com', "a@[127.0.0.1]"],
    "hostname": ["a", "example.com", "xn--4gbwdl.xn--wgbh1c", "1a.2b", "a" * 63],
    "ipv4": ["0.0.0.0", "255.255.255.255"],
    "ipv6": ["::", "::1", "2001:db8::1", "::ffff:1.2.3.4"],
    "uri": ["http://example.com/a?b#c", "urn:isbn:0451450523", "mailto:a@b.c", "file:///tmp", "http://[::1]:80/%E4"],
    "uuid": ["0af49b0c-5a5e-4d8e-8b0f-1f2e3d4c5b6a", "0AF49B0C-5A5E-4D8E-8B0F-1F2E3D4C5B6A"],
}
BAD = {
    "date": ["2023-02-29", "2024-2-1", "2024-13-01", "20240101", "2024-01-01T00:00:00Z", "２０２４-01-01", ""],
    "date-time": [
        "2024-01-01",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T24:00:00Z",
        "2024-01-01T12:00:60Z",
    ],
    "time": ["00:00", "00:00:00", "24:00:00Z", "12:00:60Z", "12:00:00+24:00"],
    "duration": ["P", "PT", "3D", "P1D2H", "P1W2D", "P1Y2D", "PT1.5S"],
    "email": ["a", "@b", "a@", "a b@c.d", "a..b@c.d", "a@b_c", "张三@", "a@b\n"],
    "hostname": ["", "-a", "a-", "a..b", "a_b", "a" * 64, ".".join(["a" * 49] * 6), "é.com"],
    "ipv4": ["256.0.0.0", "1.2.3", "01.2.3.4", "1.2.3.4 ", "1.2.3.4.5"],
    "ipv6": ["", ":::", "1::2::3", "12345::", "fe80::1%eth0", "1.2.3.4"],
    "uri": ["", "example.com", "//example.com", "http://a b", "http://例.com", "http://a/%zz", "1http://a"],
    "uuid": ["", "0af49b0c5a5e4d8e8b0f1f2e3d4c5b6a", "0af49b0c-5a5e-4d8e-8b0f-1f2e3d4c5b6g"],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_format_takes_what_its_grammar_makes(name):
    assert dict(zip(GOOD[name], fits(name, *GOOD[name]), strict=True)) == dict.fromkeys(GOOD[name], True)


@pytest.mark.parametrize("name", BAD)
def test_a_format_refuses_what_its_grammar_does_not_make(name):
    assert dict(zip(BAD[name], fits(name, *BAD[name]), strict=True)) == dict.fromkeys(BAD[name], False)


def test_a_format_that_is_not_known_refuses_nothing():
    assert fits("colour", "", "anything") == [True, True]


def test_a_format_says_nothing_of_numbers():
    schema = RecordSchema(fields=(Field(name="a", type="any", format="date"),))
    assert RecordValidator(schema).check([{"a": 3}, {"a": "3"}]).valid == [True, False]


@UNTIMED
@given(st.lists(st.dates(), min_size=1))
def test_every_date_is_a_date(dates):
    assert all(fits("date", *(date.isoformat() for date in dates)))


@UNTIMED
@given(st.lists(st.datetimes(timezones=st.just(datetime.UTC)), min_size=1))
def test_every_moment_is_a_date_time(moments):
    assert all(fits("date-time", *(moment.isoformat() for moment in moments)))


@UNTIMED
@given(st.lists(st.ip_addresses(), min_size=1), st.lists(st.uuids(), min_size=1))
def test_every_address_and_every_uuid_is_one(addresses, uuids):
    for version in (4, 6):
        assert all(fits(f"ipv{version}", *(str(a) for a in addresses if a.version == version)))
    assert all(fits("uuid", *map(str, uuids)))


@UNTIMED
@given(st.lists(st.text("0123456789abcdef:.-", max_size=39)))
def test_what_the_standard_library_calls_an_address_and_nothing_else_is_one(texts):
    for version, kind in ((4, ipaddress.IPv4Address), (6, ipaddress.IPv6Address)):
        assert fits(f"ipv{version}", *texts) == [made_by(kind, text) for text in texts]


def made_by(kind: type, text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


@UNTIMED
@given(st.lists(st.emails(), min_size=1))
def test_every_address_that_hypothesis_makes_is_an_email(addresses):
    assert all(fits("email", *addresses))


def test_a_uuid_of_the_standard_library_is_one():
    assert fits("uuid", str(uuid.UUID(int=0))) == [True]
