"""Amounts in words: one record, two records."""

from datasynth.schemas.messages import Message, say


def records(count: int) -> Message:
    """So many records."""
    return say("1 record") if count == 1 else say("{count} records", count=f"{count:,}")


def records_of(part: int, whole: int) -> Message:
    """So many of all records."""
    shown = f"{part:,}"
    return (
        say("{part} of 1 record", part=shown)
        if whole == 1
        else say("{part} of {whole}", part=shown, whole=records(whole))
    )


def retries(count: int) -> Message:
    """So many retries."""
    return say("1 retry") if count == 1 else say("{count} retries", count=f"{count:,}")


def replies_from_journal(count: int) -> Message:
    """So many replies that cost nothing now."""
    if count == 1:
        return say("1 reply from the journal")
    return say("{count} replies from the journal", count=f"{count:,}")
