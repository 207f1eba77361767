"""Instruction templates: values in their places, in one pass, and nothing evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.sources.templates import filled, given_guidelines

NAMES = ("a", "b-1", "角色")
plain = st.text(st.sampled_from("x \n%\\$"), max_size=4)
value = st.text(st.sampled_from("{}a \\1%"), max_size=8)


@given(st.lists(st.tuples(plain, st.sampled_from(NAMES)), max_size=5), st.tuples(value, value, value))
def test_a_value_stands_in_every_place_of_its_variable_as_it_is(
    pieces: list[tuple[str, str]], texts: tuple[str, str, str]
) -> None:
    used = {name for _, name in pieces}
    values = {name: text for name, text in zip(NAMES, texts, strict=True) if name in used}
    template = "".join(f"{before}{{{{{name}}}}}" for before, name in pieces)
    assert filled(template, values, name="t") == "".join(before + values[name] for before, name in pieces)


def test_a_value_that_looks_like_a_variable_is_text() -> None:
    assert filled("{{a}}{{b}}", {"a": "{{b}}", "b": "{{a}}"}, name="t") == "{{b}}{{a}}"


@pytest.mark.parametrize("text", ["{a} {{}} {{ }}", '{"x": {"y": 1}}', "{{a.b}} {{a['b']}} {% if a %} {{7*7}}!"])
def test_braces_around_anything_but_a_name_are_text(text: str) -> None:
    assert filled(text.replace("{{7*7}}", ""), {}, name="t") == text.replace("{{7*7}}", "")


def test_a_name_may_be_of_any_script_and_have_space_around_it() -> None:
    assert filled("{{ 角色 }}说", {"角色": "柜员"}, name="t") == "柜员说"


def test_a_missing_value_is_named() -> None:
    with pytest.raises(InputError, match=r"role, tone.*Without a value: tone"):
        filled("{{role}} {{tone}}", {"role": "x"}, name="t")


def test_a_value_without_a_place_is_named() -> None:
    with pytest.raises(InputError, match="Unknown: rolle"):
        filled("{{role}}", {"role": "x", "rolle": "y"}, name="t")


def test_guidelines_and_a_template_are_not_both_taken() -> None:
    settings = SynthesisSettings.model_validate({"analysis_dir": "a", "guidelines": "g", "template": "t"})
    with pytest.raises(InputError, match="Give one of them"):
        given_guidelines(settings)


def test_values_without_a_template_are_refused() -> None:
    with pytest.raises(InputError, match="no template"):
        given_guidelines(SynthesisSettings.model_validate({"analysis_dir": "a", "template_values": {"x": "y"}}))


def test_numbers_in_a_settings_file_are_text_in_a_template() -> None:
    settings = SynthesisSettings.model_validate({"analysis_dir": "a", "template_values": {"n": 3, "x": 0.5}})
    assert settings.template_values == {"n": "3", "x": "0.5"}
