"""The version, of which everything that is written or sent may ask."""

__version__ = "0.2.0"
