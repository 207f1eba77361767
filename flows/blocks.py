"""Blocks: what a person makes and edits in the Prefect UI, and a run names."""

from typing import Any

from prefect.blocks.core import Block, schema_extra
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from pydantic import ConfigDict, HttpUrl

from datasynth.schemas.blocks import EndpointFields, StoreFields, TemplateFields
from datasynth.schemas.form import form
from datasynth.tasks.blocks.source import ENDPOINT, STORE, TEMPLATE


def _as_form(schema: dict[str, Any], model: type[Block]) -> None:
    schema_extra(schema, model)
    form()(schema)


LOGOS = (
    "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos"
)
"""Where Prefect has its own: a block's picture can only be an address, and ours must show on any server."""
FORM = ConfigDict(json_schema_extra=_as_form, hide_input_in_errors=True)


class ModelEndpoint(EndpointFields, Block):
    model_config = FORM
    _block_type_name = "Model Endpoint (DataSynth)"
    _block_type_slug = ENDPOINT
    _logo_url = HttpUrl(f"{LOGOS}/webhook.png")
    _description = "A language model at an address, with its key, prices and limits, for runs of DataSynth to name."
    # Python, for of any other block of code the Prefect UI shows an empty box.
    _code_example = """\
        ```python
        # In the form of a run: its name in the field Endpoint.
        # On the command line: datasynth generate ANALYSIS_DIR --endpoint NAME
        from datasynth import SynthEngine

        SynthEngine(endpoint="NAME").generate(analysis_dir="ANALYSIS_DIR", target_count=100)
        ```"""


class DatasetStore(StoreFields, Block):
    model_config = FORM
    _block_type_name = "Dataset Store (DataSynth)"
    _block_type_slug = STORE
    _logo_url = HttpUrl(f"{LOGOS}/filesystem.png")
    _description = "Where DataSynth keeps data sets: a folder or an S3 address, with the keys to it if it has its own."
    _code_example = """\
        ```python
        # In the form of a run: block:NAME in the field Store.
        # On the command line: datasynth generate ANALYSIS_DIR --store block:NAME
        from datasynth import SynthEngine

        SynthEngine(store="block:NAME").generate(analysis_dir="ANALYSIS_DIR", target_count=100)
        ```"""


class InstructionTemplate(TemplateFields, Block):
    model_config = FORM
    _block_type_name = "Instruction Template (DataSynth)"
    _block_type_slug = TEMPLATE
    _logo_url = HttpUrl(f"{LOGOS}/email.png")
    _description = "Instructions for a model with {{variables}}, for runs of DataSynth to name in place of guidelines."
    _code_example = """\
        ```python
        # In the form of a run: its name in the field Instruction template, and a value for each variable below it.
        # On the command line: datasynth generate ANALYSIS_DIR --template NAME --template-value role=teller
        from datasynth import SynthEngine

        engine = SynthEngine(template="NAME", template_values={"role": "teller"})
        engine.generate(analysis_dir="ANALYSIS_DIR", target_count=100)
        ```"""


BLOCKS: tuple[type[Block], ...] = (ModelEndpoint, DatasetStore, InstructionTemplate)


def registered_blocks(client: SyncPrefectClient) -> list[str]:
    """Registers the types of block, or brings them up to date; returns the names of those that were not there."""
    new = []
    for block in BLOCKS:
        try:
            client.read_block_type_by_slug(block.get_block_type_slug())
        except ObjectNotFound:
            new.append(block.get_block_type_name())
        block.register_type_and_schema()
    return new
