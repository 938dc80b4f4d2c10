"""Know the formats of request logs: presets, files of the user's own, and which one reads a log.

`docs/formats.md` describes the declarations.
"""

from logstats.domain.format import Format
from logstats.domain.notation import FormatError
from logstats.formats.declarations import NATIVE, customised, load, presets, source_of
from logstats.formats.detection import detect

__all__ = ["NATIVE", "Format", "FormatError", "customised", "detect", "load", "presets", "source_of"]
