"""What could be somebody's, and what is made for stories."""

import sys

import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.quality.personal import PersonalData, masked
from datasynth.tasks.quality.screening import require_checks


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Write to jane.doe@gmail.com today.", "en"),
        ("请联系13912345867，谢谢。", "zh"),
        ("电话：+86 139 1234 5867", "zh"),
        ("Call (212) 736-5000 now.", "en"),
        ("Ring +44 20 7930 4832.", "en"),
        ("Karte 4539 1488 0343 6467", "de"),
        ("身份证号11010519491231002X已登记", "zh"),
        ("SSN 536-90-4399", "en"),
    ],
)
def test_what_could_be_somebodys_is_refused(answered, text, language):
    assert answered(text, "?", language=language, personal_data=True) == ["personal_data"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Write to jane@example.com or ops@mail.example.org.", "en"),
        ("Call 212-555-0143.", "en"),
        ("Ring 020 7946 0123.", "en"),
        ("Call 1-800-275-2273 free of charge.", "en"),
        ("请拨打400-820-8820。", "zh"),
        ("请拨打13812345678。", "zh"),
        ("Test with 4242 4242 4242 4242.", "en"),
        ("Card 4539 1488 0343 6468 has a wrong digit.", "en"),
        ("身份证号110105194912310021校验位不对", "zh"),
        ("订单号20240115123456789，金额1299.00元，2024-01-15 12:30:45", "zh"),
        ("@jane wrote 1,234,567 words in 2023-2024; see v1.2.3.4567890.", "en"),
    ],
)
def test_what_is_made_for_stories_or_is_no_such_number_passes(answered, text, language):
    assert answered(text, "?", language=language, personal_data=True) == []


def test_personal_data_is_not_looked_for_unless_asked(answered):
    assert answered("Write to jane.doe@gmail.com today.") == []


def test_without_the_extra_the_error_names_it_before_anything_is_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(InputError, match=r"datasynth\[pii\]"):
        require_checks(SynthesisSettings.model_validate({"analysis_dir": "x", "personal_data": True}))
    with pytest.raises(InputError, match="extra pii"):
        PersonalData("en")


def test_what_was_found_is_told_masked():
    assert masked("jane.doe@gmail.com") == "ja**************om"
