"""Finished DataRecipe analyses: what one is, and which there are below an address.

DataRecipe says of no analysis that it is finished. One is taken as finished when its schema and its samples are there
and can be read, and, where a scanner looks on its own, when nothing that shapes the data has been written for a while.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from datasynth.schemas.announcement import ANALYSIS_COMPLETED, Announcement, resource
from datasynth.schemas.errors import DataSynthError, InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.sources.recipes import GUIDELINES, SAMPLES, SCHEMA, SUMMARY, read_recipe
from datasynth.tasks.storage.store import Store

DEEPEST = 3
"""Folders between a root and an analysis below it: root/team/project/analysis. Analyses are not looked into."""


@dataclass(frozen=True)
class Analysis:
    """A finished analysis."""

    name: str
    url: str
    """Absolute, so that it means the same to a worker elsewhere."""
    fingerprint: str
    """Of its recipe: another folder name, seed, field or guideline changes it; another place does not."""

    @property
    def run_id(self) -> str:
        """The id of the run that is this analysis' own: whoever starts it, and however often, it is one run."""
        return f"analysis-{self.fingerprint}"

    def completed(self) -> Announcement:
        """The announcement that it is there; its payload holds what a trigger hands to a run."""
        return Announcement(
            ANALYSIS_COMPLETED,
            resource("datarecipe.analysis", self.fingerprint, self.name),
            {"name": self.name, "analysis_dir": self.url, "fingerprint": self.fingerprint, "run_id": self.run_id},
        )


@dataclass(frozen=True)
class Unfinished:
    """A folder with an analysis' schema that no run should start from, and why."""

    url: str
    reason: Message


def analysis_at(url: str) -> Analysis:
    """The finished analysis in the folder `url`.

    Raises:
        InputError: no analysis, without samples, or with something that cannot be read.
    """
    recipe = read_recipe(SynthesisSettings.model_validate({"analysis_dir": url}))
    store = Store(url)
    if not store.exists(SAMPLES):
        raise InputError(
            "{path}: the analysis is not complete: it has no {samples}. Let DataRecipe finish first.",
            path=store.url(),
            samples=SAMPLES,
        )
    return Analysis(recipe.name, recipe.analysis_dir, recipe.fingerprint)


def analyses_below(root: str, *, settled_before: datetime) -> Iterator[Analysis | Unfinished]:
    """The analyses in the folder `root` and up to `DEEPEST` folders below it, in the order of their paths.

    Args:
        root: A folder or address; it may itself be an analysis.
        settled_before: One with a later file that shapes the data is left for the next look: it may be half written.

    Raises:
        InputError: there is no such folder.
    """
    store = Store(root)
    if not store.exists():
        raise InputError("{path}: no such folder, or nothing in it. Check the path.", path=store.url())
    for folder in _with_schema(store, DEEPEST):
        try:
            written = _last_written(folder)
            found: Analysis | Unfinished = analysis_at(folder.url())
        except (DataSynthError, FileNotFoundError) as error:
            # Half written, or broken for good: either way not this scan's to start, nor a reason to start no others.
            reason = error.message if isinstance(error, DataSynthError) else say("it went while it was read")
            yield Unfinished(folder.url(), reason)
            continue
        if written > settled_before:
            found = Unfinished(folder.url(), say("written to a moment ago; the next scan will look again"))
        yield found


def _with_schema(store: Store, depth: int) -> Iterator[Store]:
    if store.exists(SCHEMA):
        yield store
        return
    if depth > 0:
        for name in _folders(store):
            yield from _with_schema(store.at(name), depth - 1)


def _folders(store: Store) -> list[str]:
    """Names of the folders in `store`, sorted, without hidden ones."""
    names = set(store.names())  # it lists afresh and explains what goes wrong; what follows reads the same listing
    if not names:  # an object store has no empty folders to list
        return []
    entries = store.fs.ls(store.root, detail=True)
    folders = {entry["name"].rstrip("/").rsplit("/", 1)[-1] for entry in entries if entry["type"] == "directory"}
    return sorted(name for name in names & folders if not name.startswith("."))


def _last_written(folder: Store) -> datetime:
    """When one of the files that shape the data was written last."""
    paths = [folder.at(path) for path in (SCHEMA, SAMPLES, GUIDELINES, SUMMARY)]
    times = [path.fs.modified(path.root) for path in paths if path.exists()]
    return max(time if time.tzinfo else time.replace(tzinfo=UTC) for time in times)
