"""`datasynth init`."""

import json
import shlex
from typing import Any

from datasynth.cli.commands import command, option
from datasynth.cli.options import SimulationKnobs, run_settings
from datasynth.cli.speech import out, program, shown_path, speech, translated
from datasynth.schemas.messages import say

SETTINGS_FILE, SCHEMA_FILE, SEEDS_FILE = "datasynth.yaml", "schema.json", "seeds.json"


@command(
    "init",
    short="Write a settings file, a schema and seeds to start from.",
    help="Writes datasynth.yaml with every setting explained, and schema.json and seeds.json as an example. Files "
    "that exist are left as they are.",
)
@option("-o", "--output", metavar="FOLDER", default=".", help="Folder for the files; by default this one.")
def init(output: str) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.outputs import check_writable, write_whole  # noqa: PLC0415
    from datasynth.tasks.storage.store import Store  # noqa: PLC0415

    example = EXAMPLES[speech.language]
    contents = {
        SETTINGS_FILE: settings_template(),
        SCHEMA_FILE: json.dumps(example["schema"], indent=2, ensure_ascii=False) + "\n",
        SEEDS_FILE: json.dumps(example["seeds"], indent=2, ensure_ascii=False) + "\n",
    }
    folder = Store(output)
    paths = {name: shown_path(folder.url(name)) for name in contents}
    for name, text in contents.items():
        if folder.exists(name):
            out(say("Left as it is: {path}", path=paths[name]))
        else:
            check_writable(folder.url(name))
            write_whole(folder.url(name), text.encode())
            out(say("Written: {path}", path=paths[name]))
    words = ["create", paths[SCHEMA_FILE], paths[SEEDS_FILE], "--config", paths[SETTINGS_FILE], "-o", "out.json"]
    out(say("Next: {command}", command=shlex.join([program(), *words, "-n", "10"])))


def settings_template() -> str:
    """A settings file in which every line is commented out, shows the default and says what it is for."""
    # The settings bring Pydantic, which `--help` does not need.
    from datasynth.schemas.settings import SynthesisSettings  # noqa: PLC0415

    head = translated(
        "Settings of DataSynth, for --config. Each line shows a default: remove the # and change it. Options on the "
        "command line beat this file. A key is never a setting: it comes from the environment."
    )
    lines = [f"# {head}"]
    for setting in run_settings(output_help="Output file."):
        default = SynthesisSettings.model_fields[setting.field].get_default(call_default_factory=True)
        if isinstance(setting, SimulationKnobs):
            default = {"latency": 0.2}
        lines += ["", f"# {translated(setting.file_help)}", f"#{setting.field}: {_yaml(default)}".rstrip()]
    lines += ["", f"# {translated('Language of the report: en or zh; by default that of --lang or the locale.')}"]
    lines += [f"#language: {speech.language}"]
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    """`value` as YAML takes it: JSON is YAML, but a bare word reads better."""
    if value is None:
        return ""
    return value if isinstance(value, str) and value.isidentifier() else json.dumps(value, ensure_ascii=False)


EXAMPLES: dict[str, dict[str, Any]] = {
    "en": {
        "schema": {
            "project_name": "kitchen_helper",
            "description": "Questions of people who cook at home, answered briefly and correctly.",
            "fields": [
                {"name": "instruction", "type": "string", "description": "A cook's question", "required": True},
                {"name": "response", "type": "string", "description": "The answer, two or three sentences"},
                {
                    "name": "difficulty",
                    "type": "string",
                    "description": "How much the cook must know",
                    "constraints": {"enum": ["easy", "medium", "hard"]},
                },
            ],
        },
        "seeds": [
            {
                "instruction": "Why do my scrambled eggs turn out rubbery?",
                "response": "The heat is too high. Cook them slowly over low heat and take the pan off while the eggs "
                "still look slightly wet; they finish in their own warmth.",
                "difficulty": "easy",
            },
            {
                "instruction": "How do I keep a vinaigrette from separating?",
                "response": "Whisk a spoonful of mustard into the vinegar first, then add the oil in a thin stream. "
                "The mustard holds the tiny drops of oil apart.",
                "difficulty": "medium",
            },
            {
                "instruction": "Can I replace butter with oil when I bake a sponge cake?",
                "response": "Yes, with about four fifths of the weight, but the crumb becomes denser, since creamed "
                "butter traps air. Beat the eggs longer to make up for it.",
                "difficulty": "hard",
            },
        ],
    },
    "zh": {
        "schema": {
            "project_name": "kitchen_helper",
            "description": "家庭烹饪中的常见问题，回答简短、准确。",
            "fields": [
                {"name": "instruction", "type": "string", "description": "做饭的人提出的问题", "required": True},
                {"name": "response", "type": "string", "description": "回答，两三句话"},
                {
                    "name": "difficulty",
                    "type": "string",
                    "description": "需要多少烹饪经验",
                    "constraints": {"enum": ["简单", "中等", "较难"]},
                },
            ],
        },
        "seeds": [
            {
                "instruction": "为什么我炒的鸡蛋总是又老又硬？",
                "response": "火太大了。用小火慢炒，看到蛋液还略微湿润时就关火，余温会让它刚好熟透。",
                "difficulty": "简单",
            },
            {
                "instruction": "怎样让油醋汁不分层？",
                "response": "先把一勺芥末酱和醋搅匀，再一边搅一边把油细细地倒进去。"
                "芥末能让小油滴分散开，不再聚到一起。",
                "difficulty": "中等",
            },
            {
                "instruction": "做海绵蛋糕时可以用植物油代替黄油吗？",
                "response": "可以，用量约为黄油的五分之四，但口感会更密实，因为打发的黄油能裹住空气。"
                "把鸡蛋多打一会儿可以弥补。",
                "difficulty": "较难",
            },
        ],
    },
}
