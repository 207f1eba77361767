"""The one place that touches storage: whole or not at all, on any fsspec address."""
