"""E-mail addresses, phone, card and identity numbers that could be somebody's.

By phonenumbers (Google's libphonenumber) and python-stdnum: plain Python, small, with the numbering plans and check
digits of their countries. Presidio needs spaCy and its models, scrubadub scikit-learn and NLTK; datafog knows the
forms of the United States alone and checks no digits.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Final, NamedTuple

import polars as pl

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.settings import ContentCheck
from datasynth.tasks.quality.passages import Finding, Passages
from datasynth.tasks.validate.findings import path_text

EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24})(?![\w-])", re.ASCII)
RESERVED: Final = re.compile(
    r"(?:.+\.)?(?:example\.(?:com|org|net)|example|test|invalid|localhost|local)\Z", re.IGNORECASE
)
"""RFC 2606 and 6761: nobody has an address there."""
DIGITS: Final = re.compile(r"(?<![\w.-])\+?\(?\d(?:[ ().-]{0,2}\d){6,18}[Xx]?(?![\w-])", re.ASCII)
"""Seven to nineteen digits, perhaps in groups."""
DATE: Final = re.compile(r"(?:19|20)\d\d[-. ]?[01]?\d[-. ][0-3]?\d\b")
GROUPED_ID: Final = re.compile(r"\d{3}-\d{2}-\d{4}")
TEST_CARDS: Final = {
    *("4111111111111111", "4242424242424242", "4012888888881881", "5555555555554444", "5105105105105100"),
    *("378282246310005", "371449635398431", "6011111111111117", "6011000990139424", "3530111333300000"),
    *("30569309025904", "4000056655665556"),
}
"""Cards that payment providers publish for trials."""
CARD_STARTS: Final = re.compile(r"(?:4|5[1-5]|2[2-7]|3[47]|6(?:011|2|4|5)|35|30|36|38)")
FICTION_US: Final = re.compile(r"\d{3}55501\d\d\Z")
FICTION_GB: Final = re.compile(r"(?:1632960|7700900|2079460|1134960|1144960|1154960|1164960|1174960|1184960)\d{3}\Z")
"""Numbers set aside for stories: by the North American plan (555-0100 to 0199) and by Ofcom."""
MADE_UP: Final = re.compile(r"(?:01234567|12345678|23456789|87654321|98765432|(\d)\1{5})")
REGIONS: Final = {
    "zh": "CN", "en": "US", "de": "DE", "fr": "FR", "es": "ES", "it": "IT", "pt": "BR", "nl": "NL", "sv": "SE",
    "pl": "PL", "tr": "TR", "id": "ID", "vi": "VN", "ja": "JP", "ko": "KR", "th": "TH", "ru": "RU", "uk": "UA",
    "ar": "EG", "fa": "IR", "el": "GR", "he": "IL", "hi": "IN",
}  # fmt: skip
"""Where a number without a country code is taken to be, by the language of the data."""


class _Libraries(NamedTuple):
    phones: ModuleType
    luhn: ModuleType
    chinese_id: ModuleType
    american_id: ModuleType


def require_libraries() -> _Libraries:
    """The libraries of the extra `pii`.

    Raises:
        InputError: they are not installed.
    """
    try:
        # Megabytes of numbering plans that few runs need; and they may be missing.
        import phonenumbers  # noqa: PLC0415
        from stdnum import luhn  # noqa: PLC0415
        from stdnum.cn import ric  # noqa: PLC0415
        from stdnum.us import ssn  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            "--personal-data needs the extra pii ({name} is missing). Install datasynth[pii], or leave the option out.",
            name=error.name or "?",
        ) from error
    return _Libraries(phonenumbers, luhn, ric, ssn)


class PersonalData:
    """`personal_data`: an e-mail address, a phone number, a payment card or an identity number that could be real.

    Numbers must fit their country's plan or check digit. What is made for stories and trials passes: example.com,
    555-0100 to 0199, published test cards, 12345678. Freephone and other service numbers belong to nobody. It is a
    wish, so no seed switches it off; what it found is told masked.
    """

    name: ContentCheck = "personal_data"
    wished = True

    def __init__(self, language: str) -> None:
        """Raises InputError where the extra is missing."""
        self._libraries = require_libraries()
        self._region = REGIONS.get(language, "US")

    def find(self, passages: Passages) -> Iterable[Finding]:
        hints = passages.frame.lazy().filter(pl.col("text").str.contains(r"@|\d(?:[ ().-]{0,2}\d){6}"))
        for n in hints.select("n").collect()["n"].to_list():
            passage = passages.all[n]
            found = next(self._in(passage.text), None)
            if found:
                kind, value = found
                field = path_text(passage.keys)
                sentence = say(
                    "{field} holds personal data, {kind}: {value}.", field=field, kind=kind, value=masked(value)
                )
                yield Finding(n, "", masked(value), sentence)

    def _in(self, text: str) -> Iterator[tuple[Message, str]]:
        if "@" in text:
            for found in EMAIL.finditer(text):
                if not RESERVED.match(found[1]):
                    yield say("an e-mail address"), found[0]
        kinds: tuple[tuple[Message, Callable[[str, str], bool]], ...] = (
            (say("an identity number"), self._is_identity),
            (say("a card number"), self._is_card),
            (say("a phone number"), self._is_phone),
        )
        for found in DIGITS.finditer(text):
            written = found[0]
            digits = "".join(filter(str.isalnum, written)).upper()
            kind = next((kind for kind, is_one in kinds if is_one(written, digits)), None)
            if kind is not None and not MADE_UP.search(digits):
                yield kind, written

    def _is_identity(self, written: str, digits: str) -> bool:
        if len(digits) == 18 and written.isalnum():
            return self._libraries.chinese_id.is_valid(digits)
        return bool(GROUPED_ID.fullmatch(written)) and self._libraries.american_id.is_valid(digits)

    def _is_card(self, _: str, digits: str) -> bool:
        fits = 13 <= len(digits) <= 19 and bool(CARD_STARTS.match(digits)) and digits.isdecimal()
        return fits and digits not in TEST_CARDS and self._libraries.luhn.is_valid(digits)

    def _is_phone(self, written: str, digits: str) -> bool:
        phones = self._libraries.phones
        if not digits.isdecimal() or not 7 <= len(digits) <= 15 or DATE.match(written):
            return False
        try:
            number = phones.parse(written, self._region)
        except phones.NumberParseException:
            return False
        if not phones.is_valid_number(number):
            return False
        national = str(number.national_number)
        if (number.country_code == 1 and FICTION_US.match(national)) or (
            number.country_code == 44 and FICTION_GB.match(national)
        ):
            return False
        personal = phones.PhoneNumberType
        if written == digits and not digits.startswith("0"):
            # Bare digits may be an order's number: few of those are a mobile's.
            return phones.number_type(number) == personal.MOBILE
        kinds = (personal.MOBILE, personal.FIXED_LINE, personal.FIXED_LINE_OR_MOBILE, personal.PERSONAL_NUMBER)
        return phones.number_type(number) in kinds


def masked(value: str) -> str:
    """`value` with all but its ends covered: reports travel."""
    shown = 2 if len(value) > 6 else 1
    return value[:shown] + "*" * (len(value) - 2 * shown) + value[-shown:]
