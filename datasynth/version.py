"""The version, in a module of its own: importing it draws in no face."""

__version__ = "0.5.0"
