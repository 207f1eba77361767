"""The steps of a synthesis run, a room each, and what several steps share."""
